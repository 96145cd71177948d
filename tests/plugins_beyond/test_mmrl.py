"""MMRL: its start, its published values, and DePT around it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from depthub import Backbone, ClassSet, Training
from depthub.registry.plugins import installed
from depthub.registry.presets import preset
from depthub.spec import Component, DataSpec, RunSpec
from tests.models import CLASSES, random_backbone
from tests.plugins_beyond.steps import NEW, assert_near, pixels, scores, tuner_of

SMALL: dict[str, Any] = {"first_layer": 1, "n_tokens": 2, "dim": 6, "alpha": 0.6}


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


def test_start(backbone: Backbone) -> None:
    method: Any = tuner_of(backbone, "MMRL", first_layer=1, dim=512).method
    for maps in (method.to_image, method.to_text):
        assert len(maps) == 2
        assert torch.equal(maps[0].weight, maps[1].weight)
        assert maps[0].weight.abs().max() <= 512**-0.5
    assert method.tokens.std().item() == pytest.approx(0.02, rel=0.05)
    assert method.projection.std().item() == pytest.approx(backbone.image_width**-0.5, rel=0.05)
    frozen: Any = tuner_of(backbone, "MMRL", **SMALL, start="frozen").method
    assert torch.equal(frozen.projection, backbone.clip.visual.proj)


@pytest.mark.parametrize(
    ("protocol", "data", "settings", "training"),
    [
        ("BaseToNew", "dtd", {"weight": 6.0}, {"epochs": 10, "batch_size": 4}),
        ("BaseToNew", "eurosat", {"weight": 0.01, "dim": 2048}, {"epochs": 10, "batch_size": 4}),
        ("BaseToNew", "imagenet", {"weight": 0.5}, {"epochs": 5, "batch_size": 32}),
        ("BaseToNew", "tones", {}, {"epochs": 10, "batch_size": 4}),
        ("FewShot", "oxford_pets", {"weight": 0.2}, {"epochs": 50, "batch_size": 32}),
        ("FewShot", "eurosat", {"weight": 0.01, "dim": 2048}, {"epochs": 50, "batch_size": 32}),
        ("FewShot", "imagenet", {"weight": 0.5}, {"epochs": 5, "batch_size": 32}),
        ("FewShot", "tones", {"weight": 0.5}, {"epochs": 50, "batch_size": 32}),
        ("CrossDataset", "imagenet", {"weight": 0.2}, {"epochs": 1, "batch_size": 32, "warmup_epochs": 0}),
        ("DomainGeneralization", "imagenet", {"weight": 0.2}, {"epochs": 1, "batch_size": 32, "warmup_epochs": 0}),
    ],
)
def test_published_values(protocol: str, data: str, settings: dict[str, Any], training: dict[str, Any]) -> None:
    spec = RunSpec(method=Component("MMRL"), protocol=Component(protocol), data=DataSpec(data))
    published = preset("original", spec, installed())
    assert published.settings == settings
    recipe: dict[str, Any] = {"optimizer": "adamw", "lr": 0.001, "weight_decay": 5e-4, "warmup_epochs": 1, "warmup_lr": 1e-5, "crop": 0.5}
    assert Training(**published.training) == Training(**(recipe | training))


def test_dept_reads_the_first_reading_in_training_and_both_in_testing(backbone: Backbone) -> None:
    alone, around = (tuner_of(backbone, "MMRL", head=head, **SMALL) for head in ("ITM", "DePT"))
    images, labels = next(pixels(backbone))
    plain, fused = alone(images, CLASSES, labels), around(images, CLASSES, labels)
    for name in ("representation", "frozen"):
        assert_near(fused[name], plain[name], name)
    head: Any = around.head
    first = alone.features(images, CLASSES, labels)
    rows = torch.cat([head.cat.text(first.text[labels]), head.cat.image(first.image)])
    cat = F.cross_entropy(head.cat.classifier(rows), labels.repeat(2))
    assert_near(fused["head"], 0.7 * 0.6 * cat + 0.3 * plain["head"])
    logits = head.cat.classifier(head.cat.image(first.image))
    assert_near(scores(around, images, CLASSES), (0.7 * logits + 0.3 * scores(alone, images, CLASSES)).detach())
    assert_near(scores(around, images, NEW), scores(alone, images, NEW))


def test_other_tasks_with_trained_classes_can_count_as_new(backbone: Backbone) -> None:
    """As published on ImageNet's variants: DomainGeneralization with `fused` false gives their classes another space."""
    tuner = tuner_of(backbone, "MMRL", **SMALL)
    images, labels = next(pixels(backbone))
    variant = ClassSet("five, as new classes", CLASSES.ids, CLASSES.names)
    first = tuner.features(images, CLASSES, labels)
    expected = backbone.scale * F.normalize(first.image, dim=-1) @ F.normalize(first.text, dim=-1).T
    assert_near(scores(tuner, images, variant), expected.detach())
