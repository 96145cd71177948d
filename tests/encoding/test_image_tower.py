"""Image towers without needless work against open_clip's own layers."""

from __future__ import annotations

import pytest
import torch
from open_clip.transformer import QuickGELU
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from depthub.encoding import image_tower
from depthub.encoding.backbone import Backbone
from depthub.encoding.loading.load import load_backbone
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, make
from depthub.spec import BackboneSpec, Component
from depthub.training.tuner import Tuner
from tests.models import CLASSES, random_backbone

STANDARD: dict[str, dict[str, object]] = {
    "plain": {},
    "no ln_pre": {"no_ln_pre": True},
    "norm after pooling": {"final_ln_after_pool": True},
    "layer scale": {"ls_init_value": 0.3},
    "one layer": {"layers": 1},
    "oblong, with a rest beyond the last patch": {"image_size": [48, 40]},
}
OTHER: dict[str, dict[str, object]] = {
    "average pooling": {"pool_type": "avg"},
    "attentional pooling": {"attentional_pool": True, "attn_pooler_heads": 2},
    "other layers": {"block_type": "custom", "qk_norm": True},
    "tokens beside the feature": {"output_tokens": True},
}


def small(vision: dict[str, object]) -> Backbone:
    """A model with next to no vocabulary, for what reads no text."""
    return random_backbone(vision=vision, vocab_size=8)


def images(backbone: Backbone, number: int = 3) -> Tensor:
    return torch.randn(number, 3, *backbone.image_size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def prompts(backbone: Backbone, depth: int, n: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    drawn = [torch.randn(n, backbone.image_width, dtype=torch.float64, generator=generator) for _ in range(depth)]
    return [prompt.requires_grad_() for prompt in drawn]


def near(value: Tensor, expected: Tensor) -> bool:
    """Within 1e-10 of the largest entry."""
    return bool((value - expected).abs().max() <= 1e-10 * expected.abs().max())


def gradients(backbone: Backbone, learned: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Features and the gradients of a loss that weighs each entry differently."""
    features = backbone.encode_image(images(backbone), learned)
    weight = torch.randn(features.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    return features.detach(), list(torch.autograd.grad((features * weight).sum(), learned))


@pytest.mark.parametrize("vision", STANDARD.values(), ids=STANDARD)
def test_features_are_open_clips_own(vision: dict[str, object]) -> None:
    backbone = small(vision)
    assert image_tower.fits(backbone.clip.visual)
    features = backbone.encode_image(images(backbone))
    assert not features.requires_grad
    assert near(features, backbone.clip.encode_image(images(backbone)))


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("vision", STANDARD.values(), ids=STANDARD)
def test_prompts_at_any_depth_with_their_gradients(vision: dict[str, object], depth: int) -> None:
    backbone = small(vision)
    learned = prompts(backbone, min(depth, backbone.image_depth))
    backbone.encoding = "reference"
    features, expected = gradients(backbone, learned)
    backbone.encoding = "fast"
    for backbone.recompute in (False, True):
        again, of_learned = gradients(backbone, learned)
        assert near(again, features)
        assert all(gradient.abs().max() > 0 and near(mine, gradient) for mine, gradient in zip(of_learned, expected, strict=True))


def test_recomputing_keeps_the_layers_inputs_alone() -> None:
    backbone = small({})
    learned, sizes = prompts(backbone, 2), []
    for backbone.recompute in (False, True):
        saved: dict[int, int] = {}

        def keep(value: Tensor, saved: dict[int, int] = saved) -> Tensor:
            saved[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
            return value

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            backbone.encode_image(images(backbone), learned)
        weights = {p.untyped_storage().data_ptr() for p in backbone.parameters()}
        sizes.append(sum(size for place, size in saved.items() if place not in weights))
    assert sizes[1] < sizes[0] / 4


def test_openais_activation() -> None:
    backbone = small({})
    for block in backbone.clip.visual.transformer.resblocks:
        block.mlp.gelu = QuickGELU()
    learned = prompts(backbone, 2)
    backbone.encoding = "reference"
    features, expected = gradients(backbone, learned)
    backbone.encoding = "fast"
    again, of_learned = gradients(backbone, learned)
    assert all(near(mine, theirs) for mine, theirs in zip([again, *of_learned], [features, *expected], strict=True))


@pytest.mark.parametrize("replaced", ["conv1", "transformer.resblocks.1.mlp.c_fc", "transformer.resblocks.2.attn.out_proj"])
def test_a_tower_with_adapted_parts_keeps_its_own_way(replaced: str) -> None:
    visual = small({}).clip.visual
    part = visual.get_submodule(replaced)
    visual.set_submodule(replaced, type("Adapted", (type(part),), {})(*([3, 48, 16] if replaced == "conv1" else [48, 48])))
    assert not image_tower.fits(visual)


@pytest.mark.parametrize("vision", OTHER.values(), ids=OTHER)
def test_other_towers_keep_their_own_way(vision: dict[str, object]) -> None:
    backbone = small(vision)
    assert not image_tower.fits(backbone.clip.visual)
    expected = backbone.clip.encode_image(images(backbone))
    torch.testing.assert_close(backbone.encode_image(images(backbone)), expected, rtol=0, atol=0)


METHODS = [
    *(Component("MaPLe", {"depth": depth}) for depth in (1, 2, 3)),
    *(Component("VPT", {"depth": depth, "n_ctx": 3}) for depth in (1, 3)),
    *(Component("IndependentVL", {"depth": depth}) for depth in (1, 3)),
]


def step(method: Component, encoding: str) -> dict[str, Tensor]:
    """A training step's features and gradients on a float64 model."""
    backbone, plugins = random_backbone(), installed()
    backbone.encoding = encoding  # type: ignore[assignment]
    torch.manual_seed(5)
    tuned_method = make(complete(method, "methods", plugins), "methods", plugins, backbone, CLASSES).double()
    head = make(complete(Component("ITM"), "heads", plugins), "heads", plugins, backbone.dim, CLASSES).double()
    tuner = Tuner(backbone, tuned_method, head)
    labels = torch.tensor([0, 3, 1])
    features = tuned_method.features(backbone, images(backbone), CLASSES)
    torch.nn.functional.cross_entropy(head(features), labels).backward()
    gradients_by_name = {name: p.grad for name, p in tuner.named_parameters() if p.grad is not None}
    return {"image": features.image.detach(), "text": features.text.detach(), **gradients_by_name}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{method.name}-{method.settings['depth']}")
def test_methods_with_image_prompts(method: Component) -> None:
    expected, fast = step(method, "reference"), step(method, "fast")
    assert fast.keys() == expected.keys()
    assert len(fast) > 2
    assert {name: value for name, value in fast.items() if not near(value, expected[name])} == {}


def products(backbone: Backbone, learned: list[Tensor], number: int) -> int:
    """FLOPs of the features, and of their gradients if there is something to tune."""
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        features = backbone.encode_image(images(backbone, number), learned)
        if learned:
            features.sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_work_is_what_the_arithmetic_of_the_tower_asks_for(depth: int) -> None:
    """Every image costs the rows that anything depends on; prompts that are overwritten cost the same for one image as for many."""
    floor = pytest.importorskip("benchmarks.floor", reason="the benchmarks belong to the repository, not to the wheel")
    backbone = small({})
    learned = prompts(backbone, depth, 2)
    fewest = floor.image_floor(width=48, layers=3, tokens=5, patch=3 * 16 * 16, dim=backbone.dim, depth=depth, n=2)
    assert products(backbone, learned, 3) - products(backbone, learned, 2) == fewest


def test_an_embedded_backbone_of_the_plugins() -> None:
    """The tower of the built-in shapes."""
    backbone = load_backbone(BackboneSpec("shapes"), {"shapes": installed().get("backbones", "shapes")})
    assert image_tower.fits(backbone.clip.double().visual)
    assert near(backbone.encode_image(images(backbone)), backbone.clip.encode_image(images(backbone)))
    learned = prompts(backbone, backbone.image_depth - 1)
    fast, of_fast = gradients(backbone, learned)
    backbone.encoding = "reference"
    features, expected = gradients(backbone, learned)
    assert all(near(mine, theirs) for mine, theirs in zip([fast, *of_fast], [features, *expected], strict=True))
