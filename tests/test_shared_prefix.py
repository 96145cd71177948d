"""The text encoder with a shared beginning against the plain one: features and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from depthub.backbone import Backbone
from depthub.types import ClassSet, Prompts
from tests.models import CLASSES, random_backbone

NAMES = ("dog", "dog house", "a dog house in the rain and the snow", "2012 Audi A5 Coupe", "x", "annual_crop_land", "Boeing 747-400")


def class_set(number: int) -> ClassSet:
    names = tuple(f"{NAMES[i % len(NAMES)]} {i}" if i >= len(NAMES) else NAMES[i] for i in range(number))
    return ClassSet("many", tuple(range(number)), names)


def features_and_gradients(backbone: Backbone, classes: ClassSet, prompts: Prompts, exact: str) -> list[Tensor]:
    leaves = [p.clone().requires_grad_() for p in prompts.text]
    backbone.exact = exact  # type: ignore[assignment]
    features = backbone.encode_text(classes, Prompts(leaves, words=prompts.words))
    weights = torch.sin(torch.arange(features.numel(), dtype=features.dtype)).view_as(features)
    (features * weights).sum().backward()
    return [features.detach(), *(leaf.grad for leaf in leaves)]  # type: ignore[list-item]


@pytest.mark.parametrize("number", [1, 2, 17, 200])
@pytest.mark.parametrize("shape", [(4,), (16,), (3, 1, 4)])
@pytest.mark.parametrize("depth", [1, 3])
def test_shared_and_plain_agree(number: int, shape: tuple[int, ...], depth: int) -> None:
    backbone = random_backbone(context_length=48)
    generator = torch.Generator().manual_seed(number)
    text = [0.3 * torch.randn(*shape, backbone.text_width, dtype=torch.float64, generator=generator) for _ in range(depth)]
    found, expected = (features_and_gradients(backbone, class_set(number), Prompts(text), exact) for exact in ("shared", "plain"))
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() <= 1e-10 * other.abs().max()


def test_frozen_words_behind_the_context_agree() -> None:
    backbone = random_backbone(custom_text=True, context_length=48)
    prompts = Prompts([backbone.embed("a photo")], words="a photo of a")
    found, expected = (features_and_gradients(backbone, class_set(9), prompts, exact) for exact in ("shared", "plain"))
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() <= 1e-10 * other.abs().max()


def test_layer_scale_is_honoured() -> None:
    backbone = random_backbone(ls_init_value=0.3)
    prompts = Prompts([backbone.embed("a photo of a")])
    found, expected = (features_and_gradients(backbone, CLASSES, prompts, exact) for exact in ("shared", "plain"))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("tower", [{"no_causal_mask": True, "custom_text": True}, {"qk_norm": True}])
def test_other_towers_take_the_plain_path(tower: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = random_backbone(**tower)
    monkeypatch.setattr("depthub.shared_prefix.encode", None)  # a call would fail
    assert backbone.encode_text(CLASSES, Prompts([backbone.embed("a photo of a")])).shape == (5, 24)
