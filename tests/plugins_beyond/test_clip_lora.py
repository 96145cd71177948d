"""CLIP-LoRA against open_clip's own model with the updates merged into its weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from depthub import Backbone, DepthubError, LowRank, Training
from depthub.registry.plugins import installed
from depthub.registry.presets import preset
from depthub.spec import Component, DataSpec, RunSpec
from tests.models import CLASSES, random_backbone
from tests.plugins_beyond.changed_model import (
    ChangedModel,
    assert_dept_reads_what_matching_reads,
    assert_trains_as,
    away_from_the_start,
    with_updates,
)
from tests.plugins_beyond.steps import NEW, assert_near, copies, pixels, scores, tuner_of


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone(vision={"layers": 4})


@pytest.mark.parametrize("encoder", ["both", "text", "image"])
@pytest.mark.parametrize("first", [0, 1])
def test_steps(backbone: Backbone, encoder: str, first: int) -> None:
    tuner = tuner_of(backbone, "CLIPLoRA", rank=2, alpha=3.0, dropout=0.0, encoder=encoder, first_layer=first)
    away_from_the_start(tuner)
    plain = copies(tuner)
    layers = {"both": 3 + 4, "text": 3, "image": 4}[encoder] - first * (2 if encoder == "both" else 1)
    assert len(plain) == 6 * layers
    model = ChangedModel(backbone, lambda: with_updates(backbone, plain, 3.0 / 2**0.5))
    assert_trains_as(tuner, plain, model, [*pixels(backbone)])


def test_start(backbone: Backbone) -> None:
    """B is zero, hence the scores are CLIP's; A is uniform; the published size for a ViT-B/16 follows from the same sum."""
    tuner, model = tuner_of(backbone, "CLIPLoRA"), ChangedModel(backbone)
    images, _ = next(pixels(backbone))
    for classes in (CLASSES, NEW):
        assert_near(scores(tuner, images, classes), model.logits(images, classes))
    assert sum(value.numel() for value in tuner.tuned().values()) == 12 * (3 * backbone.text_width + 4 * backbone.image_width)
    assert 12 * (12 * 512 + 12 * 768) == 184_320
    wide = LowRank(400, 50, 1.0, 0.0)
    assert 0.99 / 20 < wide.down["q"].abs().max() <= 1 / 20
    assert not torch.equal(wide.down["q"], wide.down["k"])


def test_each_map_drops_its_own_input() -> None:
    low_rank = LowRank(6, 4, 1.0, 0.25).double()
    for value in low_rank.parameters():
        torch.nn.init.normal_(value)
    x = torch.randn(3, 5, 6, dtype=torch.float64)
    torch.manual_seed(4)
    expected = []
    for part in "qkv":
        kept = F.dropout(torch.ones_like(x), 0.25)  # 0, or 1 / 0.75
        expected.append(0.5 * (kept * x) @ (low_rank.up[part] @ low_rank.down[part]).T)
    torch.manual_seed(4)
    assert_near(low_rank(x), torch.cat(expected, dim=-1))
    plain = [0.5 * x @ (low_rank.up[part] @ low_rank.down[part]).T for part in "qkv"]
    assert_near(low_rank.eval()(x), torch.cat(plain, dim=-1))


def test_dropout_is_for_training(backbone: Backbone) -> None:
    dropping, plain = (tuner_of(backbone, "CLIPLoRA", dropout=share) for share in (0.5, 0.0))
    away_from_the_start(dropping)
    away_from_the_start(plain)
    images, labels = next(pixels(backbone))
    one, other = (dropping.features(images, CLASSES, labels) for _ in range(2))
    assert not torch.allclose(one.text, other.text)
    assert not torch.allclose(one.image, other.image)
    assert_near(scores(dropping, images, NEW), scores(plain, images, NEW))


def test_dept(backbone: Backbone) -> None:
    alone, around = (tuner_of(backbone, "CLIPLoRA", head=head, dropout=0.0) for head in ("ITM", "DePT"))
    assert_dept_reads_what_matching_reads(alone, around, next(pixels(backbone)))


@pytest.mark.parametrize("settings", [{"rank": 0}, {"dropout": 1.0}, {"first_layer": 3}])
def test_settings_that_cannot_be(backbone: Backbone, settings: dict[str, Any]) -> None:
    with pytest.raises(DepthubError, match="expected"):
        tuner_of(backbone, "CLIPLoRA", **settings)


@pytest.mark.parametrize(("protocol", "data"), [("FewShot", "imagenet"), ("BaseToNew", "eurosat")])
def test_published_values(protocol: str, data: str) -> None:
    """The same for all data and shots."""
    published = preset("original", RunSpec(method=Component("CLIPLoRA"), protocol=Component(protocol), data=DataSpec(data)), installed())
    recipe = Training(
        batch_size=32, lr=2e-4, optimizer="adamw", weight_decay=0.01, warmup_epochs=0, schedule="step", final_lr=1e-6, steps_per_shot=500
    )
    assert (published.settings, Training(**published.training)) == ({}, recipe)
    assert recipe.length([0] * 64, 4).steps == 2000
