"""MMA against hooks on the layers of open_clip's own model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from torch import Tensor

from depthub import Backbone, DepthubError, Training
from depthub.registry.plugins import installed
from depthub.registry.presets import preset
from depthub.spec import Component, DataSpec, RunSpec
from tests.models import random_backbone
from tests.plugins_beyond.changed_model import ChangedModel, assert_dept_reads_what_matching_reads, assert_trains_as
from tests.plugins_beyond.steps import copies, pixels, tuner_of

SMALL: dict[str, Any] = {"first_layer": 1, "hidden": 4, "scale": 0.1}


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone(vision={"layers": 4})


def with_adapters(backbone: Backbone, plain: Mapping[str, Tensor], scale: float) -> ChangedModel:
    """The model with adapters of its layers' normalised inputs beside its layers, numbers 1 and 2 of both towers."""
    model = ChangedModel(backbone)

    def beside(tower: str, number: int) -> Any:
        def linear(part: str, x: Tensor) -> Tensor:
            return x @ plain[f"{part}.weight"].T + plain[f"{part}.bias"]

        def hook(block: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            hidden = linear(f"{tower}.{number}.down", block.ln_1(inputs[0])).relu()
            hidden = linear(f"text.{number}.shared", hidden).relu()  # the same in both towers
            return output + scale * linear(f"{tower}.{number}.up", hidden)

        return hook

    for tower in ("text", "image"):
        for number in (1, 2):
            model.layer(tower, number).register_forward_hook(beside(tower, number))
    return model


@pytest.mark.parametrize("scaled", [True, False], ids=["scaled gradients", "plain gradients"])
def test_steps(backbone: Backbone, scaled: bool) -> None:
    """With scaled gradients the adapters' are as if the scale were 1, and those of what lies before are the plain ones."""
    tuner = tuner_of(backbone, "MMA", **SMALL, scaled_gradients=scaled)
    plain = copies(tuner)
    for value in plain.values():
        value.register_hook(lambda gradient: (10.0 if scaled else 1.0) * gradient)  # type: ignore[no-untyped-call]
    assert_trains_as(tuner, plain, with_adapters(backbone, plain, 0.1), [*pixels(backbone)])


def test_start(backbone: Backbone) -> None:
    """Kaiming's normal numbers by the width of the output, no biases; the published size for a ViT-B/16 follows from the same sum."""
    method: Any = tuner_of(backbone, "MMA", first_layer=0, hidden=512).method
    adapter, widths = method.image["0"], (backbone.text_width, backbone.image_width)
    for part, outputs in ((adapter.down, 512), (adapter.shared, 512), (adapter.up, backbone.image_width)):
        assert part.weight.std().item() == pytest.approx((2 / outputs) ** 0.5, rel=0.05)
        assert not part.bias.any()
    assert adapter.shared is method.text["0"].shared

    def size(hidden: int, *widths: int) -> int:
        return sum(2 * w * hidden + hidden + w for w in widths) + hidden * hidden + hidden

    assert sum(value.numel() for value in method.parameters() if value.requires_grad) == 3 * size(512, *widths)
    assert 8 * size(32, 512, 768) == 674_560


def test_dept(backbone: Backbone) -> None:
    alone, around = (tuner_of(backbone, "MMA", head=head, **SMALL) for head in ("ITM", "DePT"))
    assert_dept_reads_what_matching_reads(alone, around, next(pixels(backbone)))


def test_the_frozen_model_lacks_nothing_else(backbone: Backbone) -> None:
    """Checkpoints hold the adapters alone, not the normalisation that they read through."""
    tuned = tuner_of(backbone, "MMA", **SMALL).tuned()
    assert {name.split(".")[3] for name in tuned} == {"down", "shared", "up"}


@pytest.mark.parametrize("settings", [{"first_layer": 3}, {"hidden": 0}, {"scale": 0.0}])
def test_settings_that_cannot_be(backbone: Backbone, settings: dict[str, Any]) -> None:
    with pytest.raises(DepthubError, match=r"MMA: .*expected"):
        tuner_of(backbone, "MMA", **{**SMALL, **settings})


@pytest.mark.parametrize(
    ("protocol", "data", "settings", "training"),
    [
        ("BaseToNew", "dtd", {}, {"batch_size": 16}),
        ("BaseToNew", "imagenet", {}, {"batch_size": 128}),
        ("CrossDataset", "imagenet", {"first_layer": 8}, {"batch_size": 128, "epochs": 1}),
        ("DomainGeneralization", "imagenet", {"first_layer": 8}, {"batch_size": 128, "epochs": 1}),
    ],
)
def test_published_values(protocol: str, data: str, settings: dict[str, Any], training: dict[str, Any]) -> None:
    published = preset("original", RunSpec(method=Component("MMA"), protocol=Component(protocol), data=DataSpec(data)), installed())
    recipe = {"lr": 0.0015, "epochs": 5, "warmup_epochs": 0}
    assert (published.settings, Training(**published.training)) == (settings, Training(**(recipe | training)))
