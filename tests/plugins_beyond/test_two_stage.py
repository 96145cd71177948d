"""2SFS against open_clip's own model with the weights of its first stage, and a classifier behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from depthub import Backbone, ClassSet, DepthubError, Training
from depthub.registry.plugins import installed
from depthub.registry.presets import preset
from depthub.registry.settings import complete
from depthub.spec import Component, RunSpec
from depthub.training.loop import fit
from tests.models import CLASSES, random_backbone
from tests.plugins_beyond.changed_model import (
    PREFIX,
    ChangedModel,
    assert_dept_reads_what_matching_reads,
    away_from_the_start,
    with_updates,
)
from tests.plugins_beyond.steps import NEW, assert_equal_steps, assert_near, copies, matching, pixels, scores, tuner_of

MIXED = ClassSet("five", (7, 3, 8, 0), ("red kite", CLASSES.names[3], "sea", CLASSES.names[0]))


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone(vision={"layers": 4})


def with_first_stage(backbone: Backbone, plain: Mapping[str, Tensor]) -> ChangedModel:
    """The model with the tuned weights in their places, or with the updates of low rank merged into its own."""

    def weights() -> dict[str, Tensor]:
        inside = with_updates(backbone, plain, 0.5**0.5)
        for name, value in plain.items():
            tower, _, rest = name.partition(".")
            if rest.startswith(("layers.", "end.")):
                inside[PREFIX[tower] + rest.replace("layers.", "transformer.resblocks.").removeprefix("end.")] = value
        return inside

    return ChangedModel(backbone, weights)


class Plain:
    """Matching for so many steps, and then the classifier on the frozen features."""

    def __init__(self, backbone: Backbone, plain: Mapping[str, Tensor], first_stage: int) -> None:
        self.model, self.plain, self.first_stage, self.step = with_first_stage(backbone, plain), plain, first_stage, 0

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        self.step += 1
        if self.step <= self.first_stage:
            return F.cross_entropy(self.model.logits(images, CLASSES), labels)
        image, text, scale = (value.detach() for value in self.model.features(images, CLASSES))
        if self.step == self.first_stage + 1:
            self.plain["classifier"].data = text.clone()
        return F.cross_entropy(matching(image, self.plain["classifier"], scale), labels)

    @torch.no_grad()
    def scores(self, images: Tensor, classes: ClassSet) -> Tensor:
        image, text, scale = self.model.features(images, classes)
        rows = [self.plain["classifier"][i] if i < len(CLASSES) else text[row] for row, i in enumerate(classes.ids)]
        return matching(image, torch.stack(rows), scale)


def tuned_names(tuned: str) -> set[str]:
    """Of a layer's tensors."""
    norms = {f"{name}.{part}" for name in ("ln_1", "ln_2") for part in ("weight", "bias")}
    biases = {f"{name}.bias" for name in ("ln_1", "ln_2", "attn.out_proj", "mlp.c_fc", "mlp.c_proj")}
    return {"norms": norms, "biases": biases, "lora": {f"{part}.{name}" for part in ("down", "up") for name in "qkv"}}[tuned]


@pytest.mark.parametrize("tuned", ["norms", "biases", "lora"])
@pytest.mark.parametrize("first", [0, 1])
def test_steps(backbone: Backbone, tuned: str, first: int) -> None:
    """Two steps of the towers, then two of the classifier, which starts at the tuned text features."""
    tuner = tuner_of(backbone, "TwoSFS", tuned=tuned, share=0.5, first_layer=first, dropout=0.0)
    if tuned == "lora":
        away_from_the_start(tuner)
    plain, batches = copies(tuner), [*pixels(backbone, 4)]
    in_layers = [name.removeprefix("image.").removeprefix("layers.") for name in plain if name.startswith("image.") and ".end." not in name]
    assert sorted(in_layers) == sorted(f"{number}.{name}" for number in range(first, 4) for name in tuned_names(tuned))
    ends = {name for name in plain if ".end." in name}
    assert ends == ({"text.end.ln_final.bias", "image.end.ln_post.bias"} if tuned == "biases" else set())
    expected = Plain(backbone, plain, 2)
    assert_equal_steps(tuner, plain, expected.loss, batches)
    for classes in (CLASSES, NEW, MIXED):
        assert_near(scores(tuner, batches[0][0], classes), expected.scores(batches[0][0], classes))


def test_each_stage_has_an_optimiser_and_a_cosine_of_its_own(backbone: Backbone) -> None:
    """One training with the published recipe, against two with torch's AdamW and scheduler; all images are in each batch."""
    tuner = tuner_of(backbone, "TwoSFS")
    away_from_the_start(tuner)
    plain = copies(tuner)
    images, labels = (torch.cat(parts) for parts in zip(*pixels(backbone, 2), strict=True))
    values: dict[str, Any] = {"lr": 0.01, "weight_decay": 0.5, "final_lr": 0.002}
    recipe = Training(batch_size=8, optimizer="adamw", schedule="step", warmup_epochs=0, augmentation="none", steps_per_shot=7, **values)
    fit(tuner, TensorDataset(images, labels), CLASSES, recipe, 1, Accelerator(cpu=True))

    expected, towers = Plain(backbone, plain, 4), [value for name, value in plain.items() if name != "classifier"]
    for parameters, steps in ((towers, 4), ([plain["classifier"]], 3)):
        optimizer = torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.5)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=0.002)
        for _ in range(steps):
            optimizer.zero_grad()
            expected.loss(images, labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()
    for name, parameter in tuner.tuned().items():
        assert_near(parameter, plain[name.removeprefix("method.")], name)


def test_dropout(backbone: Backbone) -> None:
    """The classifier starts without, so that it is the same in all processes; images of both stages are read with it."""
    tuner = tuner_of(backbone, "TwoSFS", tuned="lora", share=0.5, dropout=0.5)
    away_from_the_start(tuner)
    method: Any = tuner.method
    images, labels = next(pixels(backbone))
    model = with_first_stage(backbone, copies(tuner))
    for step in range(4):
        method.before_step(step, 4)
        one, other = (tuner.features(images, CLASSES, labels) for _ in range(2))
        assert not torch.allclose(one.image, other.image)
        assert torch.equal(one.text, other.text) == (step >= 2)
    assert_near(method.classifier, model.features(images, CLASSES)[1])


@pytest.mark.parametrize("step", [0, 1], ids=["first stage", "second stage"])
def test_dept(backbone: Backbone, step: int) -> None:
    """Its classifier reads text features of the same length in both stages: the second starts where the first ends."""
    alone, around = (tuner_of(backbone, "TwoSFS", head=head, share=0.5) for head in ("ITM", "DePT"))
    images, labels = next(pixels(backbone))
    for tuner in (alone, around):
        tuner.method.before_step(step, 2)
    assert_near(alone.features(images, CLASSES, labels).text, backbone.encode_sentences(CLASSES.sentences("a photo of a {}.")))
    assert_dept_reads_what_matching_reads(alone, around, (images, labels))


def test_an_interrupted_second_stage(backbone: Backbone) -> None:
    """What is restored from a checkpoint, in a method that has made no step, gives the same scores."""
    tuner, restored = (tuner_of(backbone, "TwoSFS", share=0.5) for _ in range(2))
    images, labels = next(pixels(backbone))
    for step in (0, 1):
        tuner.method.before_step(step, 2)
        tuner(images, CLASSES, labels)
    with torch.no_grad():
        for value in tuner.tuned().values():
            value.add_(0.1 * torch.randn_like(value))
    restored.method.load_state_dict(tuner.method.state_dict())
    for classes in (CLASSES, NEW):
        assert torch.equal(scores(restored, images, classes), scores(tuner, images, classes))


@pytest.mark.parametrize("settings", [{"share": 1.0}, {"first_layer": 3}, {"tuned": "lora", "rank": 0}, {"tuned": "lora", "dropout": 1.0}])
def test_settings_that_cannot_be(backbone: Backbone, settings: dict[str, Any]) -> None:
    with pytest.raises(DepthubError, match="expected"):
        tuner_of(backbone, "TwoSFS", **settings)


def test_settings_of_updates_count_with_updates_only() -> None:
    def settings(**values: Any) -> Component:
        return complete(Component("TwoSFS", values), "methods", installed())

    assert settings(rank=4, dropout=0.0) == settings()
    assert settings(tuned="lora", rank=4) != settings(tuned="lora")


def test_published_values() -> None:
    """300 steps a shot, the same values in both stages and for all data."""
    published = preset("original", RunSpec(method=Component("TwoSFS")), installed())
    recipe = Training(
        batch_size=32, lr=2e-4, optimizer="adamw", weight_decay=0.01, warmup_epochs=0, schedule="step", final_lr=1e-6, steps_per_shot=300
    )
    assert (published.settings, Training(**published.training)) == ({}, recipe)
    assert recipe.length([0] * 64, 16).steps == 2880 + 1920
