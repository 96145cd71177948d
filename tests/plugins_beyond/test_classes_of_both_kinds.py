"""Methods whose weights belong to trained classes, on trained and new classes together; and what their presets and views are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from depthub import Backbone, ClassSet
from depthub.registry.plugins import installed
from depthub.spec import Component, DataSpec, RunSpec
from tests.models import CLASSES, random_backbone
from tests.plugins_beyond.steps import BATCH, assert_near, features, scores, tuner_of

MIXED = ClassSet("five", (7, 3, 8, 0), ("red kite", CLASSES.names[3], "sea", CLASSES.names[0]))


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


@pytest.mark.parametrize("name", ["TaskRes", "TipAdapter", "TipAdapterF", "LPPlusPlus", "LogisticRegression"])
def test_each_class_has_the_score_of_its_kind(backbone: Backbone, name: str) -> None:
    """A trained class keeps its score in other company, in another place; a new class has the zero-shot one."""
    images, labels = (torch.cat(parts) for parts in zip(*features(backbone, 5), strict=True))
    tuner = tuner_of(backbone, name)
    tuner.prepare(images, labels)
    with torch.no_grad():
        for value in tuner.tuned().values():
            value += 0.1 * torch.randn_like(value)
    trained, zero_shot = scores(tuner, images[:BATCH], CLASSES), scores(tuner_of(backbone, "ZeroShot"), images[:BATCH], MIXED)
    together = scores(tuner, images[:BATCH], MIXED)
    assert_near(together[:, [1, 3]], trained[:, [3, 0]], "trained")
    assert_near(together[:, [0, 2]], zero_shot[:, [0, 2]], "new")
    assert not torch.allclose(together[:, [1, 3]], zero_shot[:, [1, 3]])


def test_each_view_is_an_image_to_lp_plus_plus(backbone: Backbone) -> None:
    images, labels = (torch.cat(parts) for parts in zip(*features(backbone, 4), strict=True))
    several, one_each = tuner_of(backbone, "LPPlusPlus", views=2), tuner_of(backbone, "LPPlusPlus")
    several.prepare(images.unflatten(0, (-1, 2)), labels[::2])
    one_each.prepare(images, labels[::2].repeat_interleave(2))
    assert_near(several.method.get_buffer("weight"), one_each.method.get_buffer("weight"))


@pytest.mark.parametrize(
    ("name", "data", "shots", "settings", "training"),
    [
        ("TaskRes", "dtd", 4, {}, {"lr": 2e-3, "epochs": 100}),
        ("TaskRes", "dtd", 16, {}, {"lr": 2e-3, "epochs": 200}),
        ("TaskRes", "oxford_flowers", 1, {"scale": 1.0}, {"lr": 2e-3, "epochs": 100}),
        ("TaskRes", "oxford_flowers", 16, {"scale": 1.0}, {"lr": 2e-3, "epochs": 200}),
        ("TaskRes", "imagenet", 2, {}, {"lr": 2e-4, "epochs": 100}),
        ("TaskRes", "imagenet", 16, {}, {"lr": 2e-4, "epochs": 200}),
        ("TipAdapter", "ucf101", 16, {"alpha": 3.0}, {"crop": 0.5}),
        ("TipAdapter", "eurosat", 1, {"alpha": 2.0}, {"crop": 0.5}),
        ("TipAdapterF", "eurosat", 16, {"alpha": 2.0}, {"epochs": 100}),
        ("TipAdapterF", "oxford_pets", 16, {"alpha": 1.17}, {"epochs": 20}),
        ("LPPlusPlus", "dtd", 16, {"views": 1}, {"crop": 0.5}),
    ],
)
def test_published_values(name: str, data: str, shots: int, settings: dict[str, Any], training: dict[str, Any]) -> None:
    """Of presets with the same name the first that fits counts."""
    spec = replace(RunSpec(method=Component(name)), data=DataSpec(data), shots=shots)
    presets: Any = installed().get("methods", name).presets
    first = next(preset for preset in presets if preset.name == "original" and preset.fits(spec))
    assert settings.items() <= first.settings.items()
    assert ("scale" in first.settings) == ("scale" in settings)
    assert training.items() <= first.training.items()
