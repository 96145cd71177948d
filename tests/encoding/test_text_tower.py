"""The text tower on a trie against whole sentences through open_clip's layers: features and gradients; and what is remembered."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings, strategies as st
from open_clip.transformer import QuickGELU
from torch import Tensor, nn

from depthub.encoding import text_tower
from depthub.encoding.backbone import Backbone
from depthub.types import ClassSet, Prompts
from tests.models import CLASSES, random_backbone

POSITIONS = ("end", "middle", "front")
WORDS = ("dog", "house", "in", "the", "x", "annual_crop_land", "747-400", "A5", "Mr.", "what?!", "...", "é")


def class_set(names: list[str]) -> ClassSet:
    return ClassSet("some", tuple(range(len(names))), tuple(names))


def learned(backbone: Backbone, shape: tuple[int, ...], depth: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(sum(shape))
    return [0.3 * torch.randn(*shape, backbone.text_width, dtype=backbone.scale.dtype, generator=generator) for _ in range(depth)]


def features_and_gradients(backbone: Backbone, classes: ClassSet, prompts: Prompts, encoding: str) -> list[Tensor]:
    leaves = [p.clone().requires_grad_() for p in prompts.text]
    backbone.encoding = encoding  # type: ignore[assignment]
    features = backbone.encode_text(classes, Prompts(leaves, position=prompts.position, words=prompts.words))
    weights = torch.sin(torch.arange(features.numel(), dtype=features.dtype)).view_as(features)
    (features * weights).sum().backward()  # type: ignore[no-untyped-call]
    return [features.detach(), *(leaf.grad for leaf in leaves)]  # type: ignore[list-item]


def check(backbone: Backbone, classes: ClassSet, prompts: Prompts) -> None:
    fast, reference = (features_and_gradients(backbone, classes, prompts, encoding) for encoding in ("fast", "reference"))
    for one, other in zip(fast, reference, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() <= 1e-10 * other.abs().max()


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone(context_length=77, layers=3)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(
    names=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join), min_size=1, max_size=6),
    groups=st.sampled_from([0, 1, 3]),
    per_class=st.booleans(),
    n=st.integers(1, 5),
    depth=st.integers(1, 3),
    position=st.sampled_from(POSITIONS),
    words=st.sampled_from(["", "a photo of a dog"]),
)
def test_both_ways_agree(
    backbone: Backbone, names: list[str], groups: int, per_class: bool, n: int, depth: int, position: str, words: str
) -> None:
    """Any names, also equal ones and ones that begin others; contexts per group, class or both; deep prompts; frozen words behind."""
    shape = (*([groups] if groups else []), *([len(names) if per_class else 1] if groups or per_class else []), n)
    check(backbone, class_set(names), Prompts(learned(backbone, shape, depth), position=position, words=words))  # type: ignore[arg-type]


@pytest.mark.parametrize("position", POSITIONS)
def test_names_of_one_to_sixty_tokens(backbone: Backbone, position: str) -> None:
    names = ["dog " * length for length in (1, 2, 30, 60)]
    check(backbone, class_set(names), Prompts(learned(backbone, (4,)), position=position))  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [2, 17, 1000])
def test_many_classes(number: int) -> None:
    backbone = random_backbone(context_length=24, layers=2, width=16)
    names = [f"{WORDS[i % len(WORDS)]} {'house ' * (i % 4)} {i % 300}" for i in range(number)]
    check(backbone, class_set(names), Prompts(learned(backbone, (4,))))


@pytest.mark.parametrize("change", [{"proj_bias": True}, {"ls_init_value": 0.3}, {"layers": 1}, {"custom_text": True}], ids=str)
@pytest.mark.parametrize("position", POSITIONS)
def test_other_text_towers(change: dict[str, object], position: str) -> None:
    backbone = random_backbone(**change)  # type: ignore[arg-type]
    assert text_tower.fits(backbone.text)
    check(backbone, CLASSES, Prompts(learned(backbone, (4,), depth=backbone.text_depth), position=position))  # type: ignore[arg-type]


def test_quick_gelu() -> None:
    backbone = random_backbone()
    for block in backbone.text.transformer.resblocks:
        block.mlp.gelu = QuickGELU()
    check(backbone, CLASSES, Prompts(learned(backbone, (4,))))


class Adapted(nn.Linear):
    """Stands for a layer that someone wrapped."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0.1 * x.mean(-1, keepdim=True)


@pytest.mark.parametrize("tower", [{"no_causal_mask": True, "custom_text": True}, {"qk_norm": True}, {}], ids=str)
def test_towers_that_do_not_fit_read_whole_sentences(tower: dict[str, object]) -> None:
    backbone = random_backbone(**tower)  # type: ignore[arg-type]
    if not tower:
        backbone.text.transformer.resblocks[1].mlp.c_fc = Adapted(32, 128, dtype=torch.float64).requires_grad_(False)
    assert not text_tower.fits(backbone.text)
    check(backbone, CLASSES, Prompts([backbone.embed("a photo of a")]))


CHANGES: dict[str, Callable[[Backbone], object]] = {
    "a weight in place": lambda b: b.text.transformer.resblocks[0].mlp.c_proj.weight.mul_(1.5),
    "a bias of the last layer": lambda b: b.text.transformer.resblocks[-1].attn.in_proj_bias.add_(0.3),
    "positions": lambda b: b.text.positional_embedding.mul_(2),
    "loaded weights": lambda b: b.clip.load_state_dict({name: 0.9 * value for name, value in b.clip.state_dict().items()}),
    "data put in its place twice": lambda b: [setattr(w := b.text.token_embedding.weight, "data", 2 * w.data) for _ in range(2)],
    "there and back in half precision": lambda b: b.half().double(),
    "another projection": lambda b: b.text.text_projection.mul_(2),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("position", POSITIONS)
def test_changed_weights_are_noticed(change: str, position: str) -> None:
    backbone = random_backbone()
    prompts = Prompts(learned(backbone, (4,)), position=position)  # type: ignore[arg-type]
    for again in (False, True):  # memory freed by the first change must not pass for that of other weights
        backbone.encoding = "fast"
        with torch.no_grad():
            before = backbone.encode_text(CLASSES, prompts)
            CHANGES[change](backbone)
            after = backbone.encode_text(CLASSES, prompts)
        check(backbone, CLASSES, prompts)
        assert again or not torch.equal(before, after)
        torch.testing.assert_close(after, features_and_gradients(backbone, CLASSES, prompts, "reference")[0], rtol=1e-9, atol=1e-9)


def test_automatic_casts_are_noticed() -> None:
    backbone = random_backbone(dtype=torch.float32)
    prompts = Prompts(learned(backbone, (4,)))
    exact = features_and_gradients(backbone, CLASSES, prompts, "reference")
    for way in ("fast", "reference"):
        with torch.autocast("cpu", torch.bfloat16):
            cast = features_and_gradients(backbone, CLASSES, prompts, way)
        for one, other in zip(cast, exact, strict=True):
            assert 1e-4 * other.abs().max() < (one - other).abs().max() < 0.1 * other.abs().max()
    for one, other in zip(features_and_gradients(backbone, CLASSES, prompts, "fast"), exact, strict=True):
        assert (one - other).abs().max() <= 2e-5 * other.abs().max()


def test_many_groups_are_encoded_in_parts_without_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = random_backbone()
    prompts = Prompts([*learned(backbone, (5, 1, 2)), *learned(backbone, (2,))])  # the deep prompt is the same in all groups
    expected = features_and_gradients(backbone, CLASSES, prompts, "reference")[0]
    monkeypatch.setattr("depthub.encoding.backbone.MOST_ROWS", 70)
    backbone.encoding, encoded = "fast", []
    backbone.text.transformer.resblocks[0].ln_1.register_forward_hook(lambda _, inputs, out: encoded.append(len(out)))
    with torch.no_grad():
        features = backbone.encode_text(CLASSES, prompts)
    assert encoded[-3:] == [2, 2, 1]
    torch.testing.assert_close(features, expected, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_without_gradients_the_same_text_is_encoded_once() -> None:
    backbone, encoded = random_backbone(), []
    backbone.text.ln_final.register_forward_hook(lambda *_: encoded.append(1))
    context = learned(backbone, (4,))[0]

    def encodes(classes: ClassSet, prompts: Prompts) -> bool:
        count = len(encoded)
        features = backbone.encode_text(classes, prompts)
        remembered = features.clone()
        features.zero_()  # what a caller does with it changes nothing
        torch.testing.assert_close(backbone.encode_text(classes, prompts), remembered, rtol=0, atol=0)
        return len(encoded) > count

    assert encodes(CLASSES, Prompts([context]))
    assert not encodes(CLASSES, Prompts([context.clone()]))
    assert encodes(CLASSES, Prompts([context], words="a photo of a"))
    assert encodes(CLASSES, Prompts([context], position="front"))
    assert encodes(CLASSES.take([0, 1]), Prompts([context]))
    context[0, 0] += 1
    assert encodes(CLASSES, Prompts([context]))
    assert encodes(CLASSES, Prompts())
    assert not encodes(CLASSES, Prompts())


def test_gradients_are_never_lost_to_what_is_remembered() -> None:
    backbone = random_backbone()
    context = learned(backbone, (4,))[0].requires_grad_()
    with torch.no_grad():
        backbone.encode_text(CLASSES, Prompts([context]))
    assert backbone.encode_text(CLASSES, Prompts([context])).requires_grad


def test_what_is_remembered_is_bounded() -> None:
    backbone = random_backbone()
    for n in range(1, 15):
        with torch.no_grad():
            backbone.encode_text(CLASSES, Prompts(learned(backbone, (n,))))
    assert len(backbone._memory.class_texts) == len(backbone._memory.features) < 14
