"""open_clip's own model with other weights and hooks: a plain re-statement of methods inside the towers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from depthub import Backbone, ClassSet
from depthub.training.tuner import Tuner
from tests.models import CLASSES
from tests.plugins_beyond.steps import NEW, assert_equal_steps, assert_near, scores

PREFIX = {"text": "", "image": "visual."}  # of a tower's names in the model


class ChangedModel:
    """A deep copy of a model; whole sentences and images go through its own layers.

    Args:
        backbone: has the model.
        weights: gives, at each call, tensors for the places of the model's own, by its names.
    """

    def __init__(self, backbone: Backbone, weights: Callable[[], Mapping[str, Tensor]] = dict) -> None:
        self.model: Any = deepcopy(backbone.clip)
        self.tokenizer, self.length, self.weights = backbone.tokenizer, backbone.context_length, weights

    def layer(self, tower: str, number: int) -> Any:
        return self.model.get_submodule(f"{PREFIX[tower]}transformer.resblocks.{number}")

    def features(self, images: Tensor, classes: ClassSet) -> Sequence[Tensor]:
        """Normalised features of images, (B, d), and of the sentences "a photo of a {}.", (M, d), and the scale, ()."""
        ids = self.tokenizer(classes.sentences("a photo of a {}."), context_length=self.length)
        features: Sequence[Tensor] = functional_call(self.model, dict(self.weights()), (images, ids))
        return features

    def logits(self, images: Tensor, classes: ClassSet) -> Tensor:
        image, text, scale = self.features(images, classes)
        return scale * image @ text.T


def with_updates(backbone: Backbone, plain: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    """W + scale * B A of queries, keys and values, for the layers that have an A and a B."""
    merged = {}
    for tower, number in {(name.split(".")[0], name.split(".")[1]) for name in plain if ".down." in name}:
        update = [plain[f"{tower}.{number}.up.{part}"] @ plain[f"{tower}.{number}.down.{part}"] for part in "qkv"]
        name = f"{PREFIX[tower]}transformer.resblocks.{number}.attn.in_proj_weight"
        merged[name] = backbone.clip.get_parameter(name) + scale * torch.cat(update)
    return merged


def assert_trains_as(tuner: Tuner, plain: Mapping[str, Tensor], model: ChangedModel, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Loss, gradients and tensors of every step of matching, and the scores of trained and of new classes."""
    assert_equal_steps(tuner, plain, lambda images, labels: F.cross_entropy(model.logits(images, CLASSES), labels), batches)
    for classes in (CLASSES, NEW):
        assert_near(scores(tuner, batches[0][0], classes), model.logits(batches[0][0], classes).detach())


def away_from_the_start(tuner: Tuner) -> None:
    """Normal numbers in all tuned tensors, so that each has a gradient."""
    torch.manual_seed(1)
    for value in tuner.tuned().values():
        torch.nn.init.normal_(value, std=0.1)


def assert_dept_reads_what_matching_reads(alone: Tuner, around: Tuner, batch: tuple[Tensor, Tensor]) -> None:
    """On new classes matching decides alone."""
    images, labels = batch
    head: Any = around.head
    features = alone.features(images, CLASSES, labels)
    rows = torch.cat([head.cat.text(features.text[labels]), head.cat.image(features.image)])
    loss = F.cross_entropy(head.cat.classifier(rows), labels.repeat(2))
    matching = alone(images, CLASSES, labels)["head"]
    assert_near(around(images, CLASSES, labels)["head"], 0.7 * loss + 0.3 * matching)
    assert_near(scores(around, images, NEW), scores(alone, images, NEW))
