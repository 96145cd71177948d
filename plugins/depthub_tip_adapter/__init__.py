"""Tip-Adapter and Tip-Adapter-F: the training images as a cache whose labels vote. https://arxiv.org/abs/2207.09519"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub import Backbone, ClassSet, DepthubError, Features, Method, Preset, hookimpl

ALPHAS = {"oxford_flowers": 10.0, "fgvc_aircraft": 5.0, "dtd": 2.0, "eurosat": 2.0}  # caltech101, stanford_cars and ucf101 have 3
LOW = ("food101", "imagenet", "oxford_pets", "sun397")
RECIPE: dict[str, Any] = {"optimizer": "adamw", "weight_decay": 0.01, "lr": 1e-3, "warmup_epochs": 0}
BY_STEPS: dict[str, Any] = {"batch_size": 256, "schedule": "step", "crop": 0.5}


def published(training: dict[str, Any], long: dict[str, Any]) -> tuple[Preset, ...]:
    """The repository's values: strengths by data set, and a longer training for one."""
    cache: dict[str, Any] = {"views": 10}
    each = ((alpha, (name,), long if name == "eurosat" else training) for name, alpha in ALPHAS.items())
    strengths = ((1.17, LOW, training), (3.0, (), training))
    return tuple(Preset("original", cache | {"alpha": alpha}, recipe, data=data) for alpha, data, recipe in (*each, *strengths))


class TipAdapter(Method):
    """Each training image votes for its class, the more the nearer it is to the image in question; nothing is trained. The votes are logits
    beside those of the hand-written prompts. New classes have no votes.

    Args:
        alpha: strength of the votes; published values without a search are 1.17 to 10.
        beta: sharpness: a vote counts exp(-beta (1 - cosine)).
        views: random views of each training image whose mean feature is its key; 0: the plain image.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own.
    """

    presets: ClassVar[tuple[Preset, ...]] = published({"crop": 0.5}, {"crop": 0.5})
    keys: Tensor  # (N, d), normalised
    votes: Tensor  # (N, M)

    def __init__(
        self, backbone: Backbone, classes: ClassSet, *, alpha: float = 3.0, beta: float = 1.0, views: int = 0, template: str = ""
    ) -> None:
        super().__init__(backbone, classes)
        if views < 0 or beta < 0:
            raise DepthubError(f"{type(self).__name__}: views {views}, beta {beta}, expected at least 0")
        self.classes, self.alpha, self.beta, self.prepared_views, self.template = classes, alpha, beta, views, template
        self.hold_keys(torch.empty(0, backbone.dim))
        self.register_buffer("votes", torch.empty(0, len(classes)))

    def hold_keys(self, keys: Tensor) -> None:
        """Keep the keys, (N, d)."""
        self.register_buffer("keys", keys)

    def prepare(self, backbone: Backbone, images: Tensor, labels: Tensor) -> None:
        self.hold_keys(F.normalize(images.mean(dim=1) if self.prepared_views else images, dim=-1))
        self.votes = F.one_hot(labels, len(self.classes)).to(images.dtype)

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        image = backbone.encode_image(images)
        affinity = torch.exp(-self.beta * (1 - F.normalize(image, dim=-1) @ self.keys.T))
        votes = F.pad(self.alpha * affinity @ self.votes, (0, 1))[:, classes.places_in(self.classes)]
        text = backbone.encode_sentences(classes.sentences(self.template))
        return Features(image, text, backbone.scale, classes, added=votes)


class TipAdapterF(TipAdapter):
    """Tip-Adapter with keys that are trained, starting at the features.

    Args:
        alpha: strength of the votes; published values without a search are 1.17 to 10.
        beta: sharpness: a vote counts exp(-beta (1 - cosine)).
        views: random views of each training image whose mean feature is its key; 0: the plain image.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own.
    """

    presets = (
        *published(RECIPE | BY_STEPS | {"epochs": 20}, RECIPE | BY_STEPS | {"epochs": 100}),
        Preset("dept-repo", {}, RECIPE),
    )

    def hold_keys(self, keys: Tensor) -> None:
        self.keys = nn.Parameter(keys)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [TipAdapter, TipAdapterF]
