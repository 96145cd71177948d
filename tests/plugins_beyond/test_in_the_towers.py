"""Methods inside the towers, against whole sentences and images through a plain transformer layer."""

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
    """CLIP's two towers, written out, with something to do at every layer.

    Args:
        backbone: gives the weights.
        before: changes the input of a layer, by tower.
        qkv: added to queries, keys and values, from the layer's number and its normalised input.
        beside: added to the output of a layer.
        weights: other weights of a layer, by its number and name.
    """

    def __init__(self, backbone: Backbone, **parts: Mapping[str, Any]) -> None:
        self.backbone, self.parts = backbone, parts

    def layer(self, tower: str, number: int, x: Tensor, mask: Tensor | None) -> Tensor:
        holder = self.backbone.text if tower == "text" else self.backbone.clip.visual
        block = holder.transformer.resblocks[number]
        others = self.parts.get("weights", {}).get(tower, {})

        def weight(name: str) -> Any:
            return others.get((number, name), block.get_parameter(name))

        def norm(name: str, value: Tensor) -> Tensor:
            return F.layer_norm(value, value.shape[-1:], weight(f"{name}.weight"), weight(f"{name}.bias"))

        normed = norm("ln_1", x)
        joint = normed @ weight("attn.in_proj_weight").T + weight("attn.in_proj_bias")
        joint = joint + self._part("qkv", tower, number, normed)
        q, k, v = (part.unflatten(-1, (block.attn.num_heads, -1)).transpose(1, 2) for part in joint.chunk(3, dim=-1))
        attention = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        attention = (attention if mask is None else attention + mask).softmax(dim=-1)
        out = (attention @ v).transpose(1, 2).flatten(2) @ weight("attn.out_proj.weight").T + weight("attn.out_proj.bias")
        middle = x + out
        hidden = block.mlp.gelu(norm("ln_2", middle) @ weight("mlp.c_fc.weight").T + weight("mlp.c_fc.bias"))
        output = middle + hidden @ weight("mlp.c_proj.weight").T + weight("mlp.c_proj.bias")
        return output + self._part("beside", tower, number, x)

    def _part(self, part: str, tower: str, number: int, x: Tensor) -> Any:
        hook = self.parts.get(part, {}).get(tower)
        return 0.0 if hook is None else hook(number, x)

    def through(self, tower: str, x: Tensor, *, causal: bool) -> Tensor:
        depth = self.backbone.text_depth if tower == "text" else self.backbone.image_depth
        before = self.parts.get("before", {}).get(tower, lambda number, x: x)
        for number in range(depth):
            x = before(number, x)
            mask = torch.full((x.shape[1],) * 2, float("-inf"), dtype=x.dtype).triu(1) if causal else None
            x = self.layer(tower, number, x, mask)
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


@pytest.mark.parametrize("encoder", ["both", "text", "image"])
def test_clip_lora(backbone: Backbone, batches: list[tuple[Tensor, Tensor]], encoder: str) -> None:
    """Without dropout; the start is away from zero, so that all parts have gradients."""
    tuner = tuner_of(backbone, "CLIPLoRA", rank=2, alpha=3.0, dropout=0.0, encoder=encoder, first_layer=1)
    torch.manual_seed(1)
    for value in tuner.method.parameters():
        torch.nn.init.normal_(value, std=0.1)
    plain = copies(tuner)

    def updates(tower: str) -> Hook:
        def update(number: int, x: Tensor) -> Tensor:
            name = f"{tower}.{number}"
            if f"{name}.down.q" not in plain:
                return torch.zeros(())
            each = [plain[f"{name}.up.{part}"] @ plain[f"{name}.down.{part}"] for part in "qkv"]
            return 3.0 / 2**0.5 * torch.cat([x @ matrix.T for matrix in each], dim=-1)

        return update

    towers = Plain(backbone, qkv={"text": updates("text"), "image": updates("image")})
    _compare(tuner, plain, towers, batches)


@pytest.mark.parametrize("scaled", [True, False], ids=["scaled gradients", "plain gradients"])
def test_mma(backbone: Backbone, batches: list[tuple[Tensor, Tensor]], scaled: bool) -> None:
    """With scaled gradients the adapters' are as if the scale were 1, and those of what lies before are the plain ones."""
    tuner = tuner_of(backbone, "MMA", first_layer=1, hidden=4, scale=0.1, scaled_gradients=scaled, template="a photo of a {}.")
    plain = copies(tuner)

    def adapters(tower: str) -> Hook:
        def adapter(number: int, x: Tensor) -> Tensor:
            name = f"{tower}.{number}"
            if f"{name}.down.weight" not in plain:
                return torch.zeros(())
            holder = backbone.text if tower == "text" else backbone.clip.visual
            hidden = holder.transformer.resblocks[number].ln_1(x)
            shared = f"text.{number}.shared"  # the same in both towers
            for part in (f"{name}.down", shared, f"{name}.up"):
                hidden = (hidden if part.endswith("down") else hidden.relu()) @ plain[f"{part}.weight"].T + plain[f"{part}.bias"]
            return 0.1 * hidden

        return adapter

    factor = 10.0 if scaled else 1.0  # of the gradients of the adapters' parameters
    for value in plain.values():
        value.register_hook(lambda gradient: factor * gradient)
    _compare(tuner, plain, Plain(backbone, beside={"text": adapters("text"), "image": adapters("image")}), batches)


def test_mma_starts_as_published(backbone: Backbone) -> None:
    method: Any = tuner_of(backbone, "MMA", first_layer=0, hidden=512).method
    adapter = method.image["0"]
    for layer, expected in (
        (adapter.down, (2 / 512) ** 0.5),
        (adapter.shared, (2 / 512) ** 0.5),
        (adapter.up, (2 / backbone.image_width) ** 0.5),
    ):
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)
        assert not layer.bias.any()
    assert adapter.shared is method.text["0"].shared


def _compare(tuner: Any, plain: Mapping[str, Tensor], towers: Plain, batches: list[tuple[Tensor, Tensor]]) -> None:
    def logits(images: Tensor, classes: ClassSet) -> Tensor:
        return matching(towers.image(images), towers.text(classes.sentences()), towers.backbone.scale)

    assert_equal_steps(tuner, plain, lambda images, labels: F.cross_entropy(logits(images, CLASSES), labels), batches)
    for classes in (CLASSES, NEW):
        assert_near(scores(tuner, batches[0][0], classes), logits(batches[0][0], classes).detach())


@pytest.mark.parametrize("tuned", ["norms", "biases"])
def test_two_stages(backbone: Backbone, tuned: str) -> None:
    """Two steps of the towers, then two of the classifier, which starts at the tuned text features."""
    tuner = tuner_of(backbone, "TwoSFS", tuned=tuned, share=0.5)
    plain, batches = copies(tuner), [*pixels(backbone, 4)]
    begun: list[int] = []
    weights: dict[str, dict[tuple[int, str], Tensor]] = {"text": {}, "image": {}}
    for name, value in plain.items():
        tower, _, rest = name.partition(".")
        if rest.startswith("layers."):
            number, _, inner = rest.removeprefix("layers.").partition(".")
            weights[tower][int(number), inner] = value
    towers = Plain(backbone, weights=weights)

    def end(tower: str, name: str) -> Tensor:
        holder = backbone.text if tower == "text" else backbone.clip.visual
        value: Tensor = plain.get(f"{tower}.end.{name}", holder.get_parameter(name))
        return value

    def text(classes: ClassSet) -> Tensor:
        ids = backbone.tokenizer(classes.sentences(), context_length=backbone.context_length)
        x = towers.through("text", backbone.text.token_embedding(ids) + backbone.text.positional_embedding, causal=True)
        x = x[torch.arange(len(ids)), ids.argmax(dim=-1)]
        x = F.layer_norm(x, x.shape[-1:], end("text", "ln_final.weight"), end("text", "ln_final.bias"))
        return F.normalize(x @ backbone.text.text_projection, dim=-1)

    def image(images: Tensor) -> Tensor:
        x = towers.image_tokens(images)[:, 0]
        x = F.layer_norm(x, x.shape[-1:], end("image", "ln_post.weight"), end("image", "ln_post.bias"))
        return x @ backbone.clip.visual.proj  # type: ignore[no-any-return]

    def loss(images: Tensor, labels: Tensor) -> Tensor:
        begun.append(len(begun))
        if begun[-1] < 2:
            return F.cross_entropy(matching(image(images), text(CLASSES), backbone.scale), labels)
        if begun[-1] == 2:
            plain["classifier"].data = text(CLASSES).detach()
        return F.cross_entropy(matching(image(images).detach(), plain["classifier"], backbone.scale), labels)

    if tuned == "norms":
        assert not any(".end." in name for name in plain)
    assert_equal_steps_apart(tuner, plain, loss, batches)
    rows = plain["classifier"].detach()
    assert_near(scores(tuner, batches[0][0], CLASSES), matching(image(batches[0][0]), rows, backbone.scale).detach())
    assert_near(scores(tuner, batches[0][0], NEW), matching(image(batches[0][0]), text(NEW), backbone.scale).detach())


def assert_equal_steps_apart(tuner: Any, plain: Mapping[str, Tensor], loss: Any, batches: list[tuple[Tensor, Tensor]]) -> None:
    """As `assert_equal_steps`, with an optimizer whose steps leave tensors without a gradient as they are."""
    assert_equal_steps(tuner, plain, loss, batches)


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
        ("CLIPLoRA", {"rank": 0}),
        ("CLIPLoRA", {"dropout": 1.0}),
        ("MMA", {"first_layer": 3}),
        ("MMRL", {"first_layer": 0}),
        ("TCP", {"layer": 3}),
        ("TwoSFS", {"share": 1.0}),
    ],
)
def test_settings_that_cannot_be(backbone: Backbone, name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(DepthubError, match=f"{name}: .*expected"):
        tuner_of(backbone, name, **settings)
