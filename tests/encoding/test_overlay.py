"""Changes inside the towers against copies of the model that really have them, in open_clip's own layers."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from depthub import Backbone, DepthubError, LayerOverlay, Overlay, Prompts
from tests.encoding.test_image_tower import images, near, small
from tests.models import CLASSES, random_backbone

WEIGHTS = (
    "ln_1.weight",
    "ln_1.bias",
    "attn.in_proj_weight",
    "attn.in_proj_bias",
    "attn.out_proj.weight",
    "mlp.c_fc.bias",
    "mlp.c_proj.weight",
)


def changed(backbone: Backbone, tower: Any, layers: tuple[int, ...]) -> tuple[Overlay, Backbone]:
    """An overlay of noisy weights in these layers and behind the last, and a model whose own weights are these."""
    generator = torch.Generator().manual_seed(5)

    def noisy(value: Tensor) -> Tensor:
        return (value + 0.1 * torch.randn(value.shape, generator=generator, dtype=value.dtype)).requires_grad_()

    overlay = Overlay(
        {number: LayerOverlay({name: noisy(backbone.weights(tower, number)[name]) for name in WEIGHTS}) for number in layers},
        {name: noisy(value) for name, value in backbone.weights(tower, None).items()},
    )
    model = deepcopy(backbone)
    holder = model.text if tower == "text" else model.clip.visual
    with torch.no_grad():
        for number, layer in overlay.layers.items():
            for name, value in layer.weights.items():
                holder.transformer.resblocks[number].get_parameter(name).copy_(value)
        for name, value in overlay.end.items():
            holder.get_parameter(name).copy_(value)
    return overlay, model


@pytest.mark.parametrize("layers", [(), (0,), (1,), (0, 1)])
def test_changed_image_tower(layers: tuple[int, ...]) -> None:
    backbone = small({"layers": 2})
    before = backbone.digest()
    overlay, model = changed(backbone, "image", layers)
    assert near(backbone.encode_image(images(backbone), (), overlay), model.encode_image(images(backbone)))
    assert backbone.digest() == before


@pytest.mark.parametrize("layers", [(), (1,), (0, 1)])
@pytest.mark.parametrize("depth", [1, 2])
def test_changed_image_tower_with_prompts(layers: tuple[int, ...], depth: int) -> None:
    backbone = small({"layers": 2})
    overlay, model = changed(backbone, "image", layers)
    prompts = [torch.randn(2, backbone.image_width, dtype=torch.float64) for _ in range(depth)]
    assert near(backbone.encode_image(images(backbone), prompts, overlay), model.encode_image(images(backbone), prompts))


@pytest.mark.parametrize("layers", [(), (0,), (1,), (0, 1)])
@pytest.mark.parametrize("remembered", [False, True], ids=["with gradients", "remembered"])
def test_changed_text_tower(layers: tuple[int, ...], remembered: bool) -> None:
    backbone = random_backbone(layers=2)
    overlay, model = changed(backbone, "text", layers)
    with torch.set_grad_enabled(not remembered):
        for _ in range(2):
            assert near(backbone.encode_text(CLASSES, Prompts(), overlay), model.encode_text(CLASSES, Prompts()))
        if remembered:  # another value of the same weights is not the remembered one
            again, model = changed(model, "text", layers)
            assert near(backbone.encode_text(CLASSES, Prompts(), again), model.encode_text(CLASSES, Prompts()))


@pytest.mark.parametrize("shape", [(2,), (len(CLASSES), 2), (3, 1, 2)], ids=["shared", "per class", "groups"])
def test_changed_text_tower_with_prompts(shape: tuple[int, ...]) -> None:
    backbone = random_backbone(layers=2)
    overlay, model = changed(backbone, "text", (1,))
    prompts = Prompts([torch.randn(*shape, backbone.text_width, dtype=torch.float64) for _ in range(2)])
    assert near(backbone.encode_text(CLASSES, prompts, overlay), model.encode_text(CLASSES, prompts))


def test_changed_weights_get_their_gradients() -> None:
    backbone = random_backbone(layers=2)
    overlay, model = changed(backbone, "text", (0, 1))
    tuned = [*overlay.end.values(), *(value for layer in overlay.layers.values() for value in layer.weights.values())]
    backbone.encode_text(CLASSES, Prompts(), overlay).square().sum().backward()  # type: ignore[no-untyped-call]
    model.requires_grad_()
    model.encoding = "reference"
    features = model.clip.encode_text(model.tokenizer(CLASSES.sentences(), context_length=model.context_length))
    features.square().sum().backward()
    expected = [model.text.get_parameter(name).grad for name in overlay.end]
    expected += [model.text.transformer.resblocks[i].get_parameter(name).grad for i in (0, 1) for name in WEIGHTS]
    assert all(near(value.grad, gradient) for value, gradient in zip(tuned, expected, strict=True))  # type: ignore[arg-type]


def test_added_functions() -> None:
    """A part that is added at every place, against hooks on copies of the layers."""
    backbone = random_backbone(layers=2)
    width = backbone.text_width
    torch.manual_seed(0)
    maps = {"attn": nn.Linear(width, width), "attn.out_proj": nn.Linear(width, width), "mlp": nn.Linear(width, width)}
    maps["layer"] = nn.Linear(width, width)
    maps |= {"mlp.c_fc": nn.Linear(width, 4 * width), "mlp.c_proj": nn.Linear(4 * width, width)}
    added = {part: module.double() for part, module in maps.items()}
    block = backbone.text.transformer.resblocks[1]
    x = torch.randn(3, 5, width, dtype=torch.float64)

    def attention(x: Tensor) -> Tensor:
        normed = block.ln_1(x)
        inner: list[Tensor] = []
        handle = block.attn.out_proj.register_forward_pre_hook(lambda module, args: inner.append(args[0]))
        out = block.attn(normed, normed, normed, need_weights=False, attn_mask=backbone.text.attn_mask[:5, :5].double())[0]
        handle.remove()
        q, k, v = (normed @ block.attn.in_proj_weight.T + block.attn.in_proj_bias).chunk(3, dim=-1)
        q, k, v = (part.view(3, 5, block.attn.num_heads, -1).transpose(1, 2) for part in (q, k, v))
        attended = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        assert near(attended @ block.attn.out_proj.weight.T + block.attn.out_proj.bias, out)
        return out + added["attn.out_proj"](attended)  # type: ignore[no-any-return]

    middle = x + attention(x) + added["attn"](x)
    normed = block.ln_2(middle)
    hidden = block.mlp.gelu(block.mlp.c_fc(normed) + added["mlp.c_fc"](normed))
    expected = middle + block.mlp.c_proj(hidden) + added["mlp.c_proj"](hidden) + added["mlp"](middle) + added["layer"](x)
    from depthub.encoding.overlaid import Layer

    layer = Layer(block, LayerOverlay(added=added))
    assert near(layer(x, causal=True), expected)
    assert near(layer(x, causal=True, row=torch.tensor([4, 2, 0]))[:, 0], expected[torch.arange(3), torch.tensor([4, 2, 0])])


def test_tokens_that_join_later_stand_behind_the_start() -> None:
    """Text tokens of the second layer on, against the layer itself on the longer sentence."""
    backbone = random_backbone(layers=3)
    prompt = torch.randn(2, backbone.text_width, dtype=torch.float64)
    features = backbone.encode_text(CLASSES, Prompts([None, prompt, None]))
    text = backbone.text
    ids = backbone.tokenizer(CLASSES.sentences(), context_length=backbone.context_length)
    x = text.token_embedding(ids) + text.positional_embedding
    mask = torch.full((backbone.context_length + 2,) * 2, float("-inf"), dtype=torch.float64).triu_(1)
    x = text.transformer.resblocks[0](x, attn_mask=mask[:-2, :-2])
    x = torch.cat([x[:, :1], prompt.expand(len(CLASSES), -1, -1), x[:, 1:]], dim=1)
    for block in text.transformer.resblocks[1:]:
        x = block(x, attn_mask=mask)
    expected = text.ln_final(x)[torch.arange(len(CLASSES)), ids.argmax(dim=-1) + 2] @ text.text_projection
    assert near(features, expected)


@pytest.mark.parametrize("tower", ["text", "image"])
def test_prompts_stay_where_a_layer_has_none(tower: str) -> None:
    """Both ways of encoding agree on layers without new tokens."""
    backbone = random_backbone(layers=3, vision={"layers": 3})
    width = backbone.text_width if tower == "text" else backbone.image_width
    first, last = (torch.randn(2, width, dtype=torch.float64) for _ in range(2))
    sparse: list[list[Tensor | None]] = [[first, None, last], [first, None, None], [first, last, None]]
    sparse += [[None, first, last], [None, first]] if tower == "image" else []

    def encode(layers: list[Tensor | None]) -> Tensor:
        return backbone.encode_text(CLASSES, Prompts(layers)) if tower == "text" else backbone.encode_image(images(backbone), layers)

    fast = [encode(layers) for layers in sparse]
    backbone.encoding = "reference"
    assert all(near(one, encode(layers)) for one, layers in zip(fast, sparse, strict=True))
    assert not near(fast[0], fast[1])


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_states_of_the_frozen_layers(layer: int) -> None:
    backbone = small({"layers": 2})
    overlay, _ = changed(backbone, "image", (layer,) if layer < 2 else ())
    states = backbone.image_states(images(backbone), layer)
    with backbone.from_states(layer):
        if layer < 2:
            assert near(backbone.encode_image(states, (), overlay), backbone.encode_image(images(backbone), (), overlay))
    if layer:
        lower, _ = changed(backbone, "image", (0,))
        with backbone.from_states(layer), pytest.raises(DepthubError, match="none before layer"):
            backbone.encode_image(states, (), lower)


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (Overlay({7: LayerOverlay()}), "layer 7"),
        (Overlay({0: LayerOverlay({"ln_1.wieght": torch.ones(8)})}), "did you mean 'ln_1.weight'"),
        (Overlay({0: LayerOverlay({"ln_1.weight": torch.ones(3)})}), "expected a tensor"),
        (Overlay({0: LayerOverlay(added={"mpl": nn.Identity()})}), "did you mean 'mlp'"),
        (Overlay(end={"projection": torch.ones(3)}), "projection"),
        (3, "expected an Overlay"),
    ],
)
def test_overlays_that_do_not_fit_are_refused(overlay: Any, message: str) -> None:
    backbone = random_backbone(layers=2, vision={"layers": 2})
    for encode in (lambda: backbone.encode_text(CLASSES, Prompts(), overlay), lambda: backbone.encode_image(images(backbone), (), overlay)):
        with pytest.raises(DepthubError, match=message):
            encode()


def test_an_image_tower_of_other_layers_takes_no_changes() -> None:
    backbone = small({"block_type": "custom", "qk_norm": True})
    with pytest.raises(DepthubError, match="standard layers"):
        backbone.encode_image(images(backbone), (), Overlay())
