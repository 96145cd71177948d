"""Methods with tokens inside the towers, against whole sentences and images through open_clip's own layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from depthub import Backbone, ClassSet, DepthubError
from tests.models import CLASSES, random_backbone
from tests.plugins_beyond.steps import NEW, Tensor, assert_equal_steps, assert_near, copies, matching, pixels, scores, tuner_of

Hook = Callable[[int, Tensor], Tensor]  # of a layer's number and input


class Plain:
    """CLIP's two towers, layer by layer, with other tokens before some of them.

    Args:
        backbone: gives the layers.
        before: changes the input of a layer, by tower.
    """

    def __init__(self, backbone: Backbone, before: Mapping[str, Hook] | None = None) -> None:
        self.backbone, self.before = backbone, before or {}

    def through(self, tower: str, x: Tensor, *, causal: bool) -> Tensor:
        holder = self.backbone.text if tower == "text" else self.backbone.clip.visual
        for number, block in enumerate(holder.transformer.resblocks):
            x = self.before.get(tower, lambda number, x: x)(number, x)
            mask = torch.full((x.shape[1],) * 2, float("-inf"), dtype=x.dtype).triu(1) if causal else None
            x = block(x, attn_mask=mask)
        return x

    def text(self, sentences: list[str], joined: int = 0) -> Tensor:
        """Features (M, d); so many tokens join each sentence in front of its end."""
        text = self.backbone.text
        ids = self.backbone.tokenizer(sentences, context_length=self.backbone.context_length)
        x = self.through("text", text.token_embedding(ids) + text.positional_embedding, causal=True)
        return text.ln_final(x)[torch.arange(len(ids)), ids.argmax(dim=-1) + joined] @ text.text_projection

    def image_tokens(self, images: Tensor) -> Tensor:
        visual = self.backbone.clip.visual
        x = visual.conv1(images).flatten(2).transpose(1, 2)
        x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], dim=1) + visual.positional_embedding
        return self.through("image", visual.ln_pre(x), causal=False)

    def image(self, images: Tensor) -> Tensor:
        visual = self.backbone.clip.visual
        return visual.ln_post(self.image_tokens(images)[:, 0]) @ visual.proj  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


@pytest.fixture
def batches(backbone: Backbone) -> list[tuple[Tensor, Tensor]]:
    return [*pixels(backbone)]


def test_the_plain_towers_are_clips(backbone: Backbone, batches: list[tuple[Tensor, Tensor]]) -> None:
    assert_near(Plain(backbone).text(CLASSES.sentences()), backbone.encode_sentences(CLASSES.sentences()))
    assert_near(Plain(backbone).image(batches[0][0]), backbone.encode_image(batches[0][0]))


@pytest.mark.parametrize(
    ("templates", "zero_shot", "sentence"),
    [
        ((), "a photo of a {}, a type of pet.", "X X X {}, a type of pet."),
        ((("tcp", "an aircraft {}."), ("tcp_context", "person doing {}.")), "an aircraft {}.", "X X X person doing {}."),
    ],
    ids=["the data set's sentence", "sentences for TCP"],
)
def test_tcp(backbone: Backbone, templates: tuple[tuple[str, str], ...], zero_shot: str, sentence: str) -> None:
    """Features of pixels are cached: the image tower is frozen."""
    tuner = tuner_of(backbone, "TCP", layer=2, n_ctx=3, reduction=2, weight=4.0)
    plain, batches = copies(tuner), [(backbone.encode_image(images), labels) for images, labels in pixels(backbone)]
    classes, new = (ClassSet(c.space, c.ids, c.names, "a photo of a {}, a type of pet.", templates) for c in (CLASSES, NEW))

    def text(of: ClassSet) -> tuple[Tensor, Tensor]:
        frozen = F.normalize(backbone.encode_sentences(of.sentences(zero_shot)), dim=-1)
        hidden = frozen @ plain["down.weight"].T + plain["down.bias"]
        hidden = hidden * torch.sigmoid(1.702 * hidden)
        tokens = (hidden @ plain["up.weight"].T + plain["up.bias"]).view(len(of), 3, -1)
        ids = backbone.tokenizer(of.sentences(sentence), context_length=backbone.context_length)
        x = backbone.text.token_embedding(ids)
        context = plain["context"].expand(len(of), -1, -1)
        x = torch.cat([x[:, :1], context, x[:, 4:]], dim=1) + backbone.text.positional_embedding

        def before(number: int, x: Tensor) -> Tensor:
            return torch.cat([x[:, :1], tokens, x[:, 4:]], dim=1) if number == 2 else x

        x = Plain(backbone, before={"text": before}).through("text", x, causal=True)
        return backbone.text.ln_final(x)[torch.arange(len(of)), ids.argmax(dim=-1)] @ backbone.text.text_projection, frozen

    def loss(x: Tensor, labels: Tensor) -> Tensor:
        of_text, frozen = text(classes)
        knowledge = 4.0 * (1 - F.cosine_similarity(of_text, frozen, dim=-1, eps=1e-7).mean())
        return F.cross_entropy(matching(x, of_text, backbone.scale), labels) + knowledge

    _with_classes(tuner, plain, loss, batches, classes)
    for of in (classes, new):
        assert_near(scores(tuner, batches[0][0], of), matching(batches[0][0], text(of)[0], backbone.scale).detach())


def _with_classes(tuner: Any, plain: Mapping[str, Tensor], loss: Any, batches: Any, classes: ClassSet) -> None:
    """Equal steps on classes with another template."""
    forward = tuner.forward
    tuner.forward = lambda inputs, _, labels=None: forward(inputs, classes, labels)
    assert_equal_steps(tuner, plain, loss, batches)
    tuner.forward = forward


@pytest.mark.parametrize("first", [1, 2])
def test_mmrl(backbone: Backbone, batches: list[tuple[Tensor, Tensor]], first: int) -> None:
    tuner = tuner_of(backbone, "MMRL", first_layer=first, n_tokens=2, dim=6, alpha=0.6, weight=0.5)
    plain = copies(tuner)

    def joins(tower: str) -> Hook:
        def before(number: int, x: Tensor) -> Tensor:
            if number < first:
                return x
            name = f"to_{tower}.{number - first}"
            tokens = plain["tokens"] @ plain[f"{name}.weight"].T + plain[f"{name}.bias"]
            rest = x[:, 1:] if number == first else x[:, 3:]
            return torch.cat([x[:, :1], tokens.expand(len(x), -1, -1), rest], dim=1)

        return before

    towers, visual = Plain(backbone, before={"text": joins("text"), "image": joins("image")}), backbone.clip.visual

    def readings(images: Tensor, classes: ClassSet) -> tuple[Tensor, Tensor, Tensor]:
        tokens = visual.ln_post(towers.image_tokens(images))
        second = tokens[:, 1:3].mean(dim=1) @ plain["projection"]
        return tokens[:, 0] @ visual.proj, second, towers.text(classes.sentences(), joined=2)

    def loss(images: Tensor, labels: Tensor) -> Tensor:
        image, second, text = readings(images, CLASSES)
        frozen = backbone.encode_image(images), backbone.encode_sentences(CLASSES.sentences())
        pull = sum(1 - F.cosine_similarity(one, other, dim=-1).mean() for one, other in zip((image, text), frozen, strict=True))
        of_both = (F.cross_entropy(matching(one, text, backbone.scale), labels) for one in (image, second))
        return sum((w * one for w, one in zip((0.6, 0.4), of_both, strict=True)), 0.5 * pull)

    assert_equal_steps(tuner, plain, loss, batches)
    image, second, text = readings(batches[0][0], CLASSES)
    mean = 0.6 * matching(image, text, backbone.scale) + 0.4 * matching(second, text, backbone.scale)
    assert_near(scores(tuner, batches[0][0], CLASSES), mean.detach())
    image, _, text = readings(batches[0][0], NEW)
    assert_near(scores(tuner, batches[0][0], NEW), matching(image, text, backbone.scale).detach())


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("MMRL", {"first_layer": 0}),
        ("TCP", {"layer": 3}),
    ],
)
def test_settings_that_cannot_be(backbone: Backbone, name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(DepthubError, match=f"{name}: .*expected"):
        tuner_of(backbone, name, **settings)
