"""Standard layers with a method's changes, and whole class sentences through them.

The frozen layer is the special case without changes. A layer's parts, with the places at which `LayerOverlay.added` adds:

    x --+-- ln_1 -- attn.in_proj (+) -- attention -- attn.out_proj (+) -- + -- x'
        |                                                                |
        +------------------------ x, and what "attn" adds of x ----------+

    x' -+-- ln_2 -- mlp.c_fc (+) -- activation -- mlp.c_proj (+) -- + -- output
        |                                                          |
        +------------------- x', and what "mlp" adds of x' --------+-- what "layer" adds of x
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub.compute.linear import linear
from depthub.encoding.layer import activated
from depthub.encoding.sentences import Sentences
from depthub.types import LayerOverlay, Overlay

Prompted = Sequence[Tensor | None]  # learned tokens by layer
PLAIN = LayerOverlay()
PARTS = ("layer", "attn", "attn.in_proj", "attn.out_proj", "mlp", "mlp.c_fc", "mlp.c_proj")  # that take something added


@dataclass(frozen=True)
class Layer:
    """A standard layer of open_clip's with changes.

    Args:
        block: the frozen layer.
        overlay: the changes.
    """

    block: Any
    overlay: LayerOverlay

    def __call__(self, x: Tensor, *, causal: bool = False, row: Tensor | int | None = None) -> Tensor:
        """The layer's output.

        Args:
            x: its input, (B, T, w).
            causal: whether a token attends to none behind it.
            row: the only row of each sequence whose output is asked for, one for all or (B,); None: all rows.

        Returns:
            (B, T, w), or (B, 1, w) for one row.
        """
        attn = self.block.attn
        q, k, v = self._map("attn.in_proj", self._normed("ln_1", x), "_").chunk(3, dim=-1)
        rows = _row(x, row)
        mask = None if row is None or not causal else _before(row, x)
        q, k, v = (part.view(*part.shape[:2], attn.num_heads, -1).transpose(1, 2) for part in (_row(q, row), k, v))
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal and row is None)
        out = self.block.ls_1(self._map("attn.out_proj", attended.transpose(1, 2).flatten(2)))
        x = rows + self._with("attn", rows, out)
        hidden = activated(self.block.mlp.gelu, self._map("mlp.c_fc", self._normed("ln_2", x)))
        output = x + self._with("mlp", x, self.block.ls_2(self._map("mlp.c_proj", hidden)))
        return self._with("layer", rows, output)

    def _map(self, part: str, x: Tensor, joint: str = ".") -> Tensor:
        """A linear map of the layer."""
        names = (f"{part}{joint}weight", f"{part}{joint}bias")
        weight, bias = (self.overlay.weights[name] if name in self.overlay.weights else _named(self.block, name) for name in names)
        return self._with(part, x, linear(x, weight, bias))

    def _normed(self, part: str, x: Tensor) -> Tensor:
        return normed(getattr(self.block, part), x, self.overlay.weights, part)

    def _with(self, part: str, x: Tensor, output: Tensor) -> Tensor:
        """A part's output, and what is added to it."""
        added = self.overlay.added.get(part)
        return output if added is None else output + added(x)


def normed(module: Any, x: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
    """A layer normalisation with the weights `name.weight` and `name.bias`, where there are such, in the place of its own."""
    weight, bias = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
    if weight is None and bias is None:
        plain: Tensor = module(x)
        return plain
    parts = (module.weight if weight is None else weight, module.bias if bias is None else bias)
    return F.layer_norm(x, module.normalized_shape, *parts, module.eps).to(x.dtype)


@dataclass(frozen=True)
class Written:
    """Sentences of M classes on their way through the text tower.

    Args:
        x: tokens, (G, M, L, w); G is 1 without groups.
        ends: position of each sentence's end token, (M,).
        slots: positions of learned tokens, (M, n); none: (M, 0).
    """

    x: Tensor
    ends: Tensor
    slots: Tensor

    def prompted(self, prompt: Tensor) -> Written:
        """With learned tokens (G, M, n, w), in which G or M may be 1: over those that stand there, or else joined behind the start."""
        groups, classes, width = max(len(self.x), len(prompt)), self.x.shape[1], self.x.shape[3]
        x, prompt = self.x.expand(groups, -1, -1, -1), prompt.to(self.x.dtype).expand(groups, classes, -1, -1)
        if self.slots.shape[1]:
            return Written(x.scatter(2, self.slots[None, :, :, None].expand(groups, -1, -1, width), prompt), self.ends, self.slots)
        n = prompt.shape[2]
        slots = torch.arange(1, 1 + n, device=x.device).expand(classes, -1)
        return Written(torch.cat([x[:, :, :1], prompt, x[:, :, 1:]], dim=2), self.ends + n, slots)

    def through(self, layer: Layer, *, last: bool) -> Written:
        """Behind a layer; behind the last one only the end tokens, (G, M, 1, w)."""
        rows = self.ends.repeat(len(self.x)) if last else None
        x = layer(self.x.flatten(0, 1), causal=True, row=rows)
        return Written(x.view(*self.x.shape[:2], *x.shape[1:]), self.ends, self.slots)


@torch.no_grad()
def states(text: Any, sentences: Sentences, layer: int) -> Tensor:
    """The frozen tower's tokens of M sentences before a layer, (1, M, L, w), without the padding behind the longest; behind the last layer
    only the end tokens, (1, M, 1, w)."""
    return _through(text, _embedded(text, sentences, None), [], Overlay(), 0, layer).x


def encode(text: Any, sentences: Sentences, prompts: Prompted, overlay: Overlay, start: int, states: Tensor | None) -> Tensor:
    """The last layer's output at the end tokens, (G, M, w).

    Args:
        text: the text tower.
        sentences: of M classes; with n learned tokens each if there are some from the input on.
        prompts: as in `Prompts`, (G, M, n, w) each, where G or M may be 1.
        overlay: changes to the tower.
        start: the layer before which the states are; 0 without them.
        states: from `states`; None: begin with the embedding.
    """
    if states is None:
        written = _embedded(text, sentences, prompts[0] if prompts else None)
    else:
        written = Written(states, sentences.ends, sentences.slots)
    written = _through(text, written, prompts, overlay, start, len(text.transformer.resblocks))
    return written.x[:, :, 0]


def _embedded(text: Any, sentences: Sentences, prompt: Tensor | None) -> Written:
    """Sentences as the first layer's input."""
    length = int(sentences.ends.max()) + 1
    positions = text.positional_embedding[:length]
    tokens = Written(text.token_embedding(sentences.ids[:, :length]).to(positions.dtype)[None], sentences.ends, sentences.slots)
    tokens = tokens if prompt is None else tokens.prompted(prompt)
    return Written(tokens.x + positions, sentences.ends, sentences.slots)


def _through(text: Any, written: Written, prompts: Prompted, overlay: Overlay, start: int, end: int) -> Written:
    """Sentences from the input of layer `start` to that of layer `end`; prompts[l] enters before layer l, but those of the input."""
    blocks = text.transformer.resblocks
    for i in range(start, end):
        prompt = prompts[i] if 0 < i < len(prompts) else None
        written = written if prompt is None else written.prompted(prompt)
        written = written.through(Layer(blocks[i], overlay.layers.get(i, PLAIN)), last=i == len(blocks) - 1)
    return written


def first_changed(prompts: Prompted, overlay: Overlay, layers: int) -> int:
    """The first layer that prompts or overlay change; the number of layers if none does."""
    prompted = (number for number, prompt in enumerate(prompts) if prompt is not None)
    return min(next(prompted, layers), min(overlay.layers, default=layers))


def names_of(prompts: Prompted, overlay: Overlay) -> tuple[Hashable, ...]:
    """Everything that text features depend on besides the sentences and `inputs_of`."""
    shapes = tuple(None if prompt is None else prompt.shape for prompt in prompts)
    return shapes, tuple((number, *layer.weights, *layer.added) for number, layer in overlay.layers.items()), tuple(overlay.end)


def inputs_of(prompts: Prompted, overlay: Overlay) -> list[Tensor] | None:
    """All tensors that prompts and overlay consist of; None if there are too many to remember results by them: prompts in groups, or a
    function that is not a module in evaluation mode."""
    tensors = [*(prompt for prompt in prompts if prompt is not None), *overlay.end.values()]
    if any(prompt.ndim == 4 and len(prompt) > 1 for prompt in tensors):
        return None
    for layer in overlay.layers.values():
        tensors += layer.weights.values()
        for function in layer.added.values():
            if not isinstance(function, nn.Module) or function.training:
                return None
            tensors += [*function.parameters(), *function.buffers()]
    return tensors


def _named(block: Any, name: str) -> Any:
    """A layer's own weight by its dotted name."""
    for part in name.split("."):
        block = getattr(block, part)
    return block


def _row(x: Tensor, row: Tensor | int | None) -> Tensor:
    if row is None:
        return x
    return x[:, row : row + 1] if isinstance(row, int) else x.take_along_dim(row[:, None, None], dim=1)


def _before(row: Tensor | int, x: Tensor) -> Tensor:
    """Which tokens a row attends to, (B, 1, 1, T) or (1, 1, 1, T)."""
    places = torch.arange(x.shape[1], device=x.device)
    return (places <= torch.as_tensor(row, device=x.device).reshape(-1, 1))[:, None, None]
