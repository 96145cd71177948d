"""Vision transformers taken apart where learned tokens enter: open_clip's own, and timm's inside open_clip.

`ImageTower`, the reference, takes any of them through its own layers. `encode`, the fast way, is the same mathematics for open_clip's
standard towers without the work that no feature depends on. Per layer, for P patches, n learned tokens and prompts in three of L layers:

    rows computed for each image        rows computed once for all images
    layer 0    class token, P patches   n learned tokens, as keys and values only: layer 1 overwrites them
    layer 1    class token, P patches   n learned tokens, as keys and values only: layer 2 overwrites them
    layer 2    class token, P patches   n learned tokens; their outputs differ from image to image and stay
    layer 3    class token, P patches, n tokens
    ...
    layer L-1  keys and values of all of these, but the output of the class token alone: it is the feature
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from timm.models.vision_transformer import VisionTransformer as TimmTransformer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from depthub.compute.linear import linear
from depthub.encoding.layer import after_attention, standard
from depthub.encoding.overlaid import Layer, Prompted, normed
from depthub.errors import DepthubError
from depthub.types import LayerOverlay, Overlay

NOTHING = Overlay()


@dataclass(frozen=True)
class ImageTower:
    """A vision transformer in four steps: embed, begin, blocks, finish.

    Args:
        width: w_v, of its tokens.
        blocks: its layers, each (B, T, w_v) to (B, T, w_v).
        embed: pixels (B, 3, H, W) to tokens with positions, before the first normalisation.
        begin: that normalisation.
        finish: the last layer's tokens to features (B, d), not normalised.
    """

    width: int
    blocks: Sequence[Any]
    embed: Callable[[Tensor], Tensor]
    begin: Callable[[Tensor], Tensor]
    finish: Callable[[Tensor], Tensor]

    def encode(self, images: Tensor, prompts: Prompted) -> Tensor:
        """Features (B, d) with learned tokens: the first (n, w_v) stand behind the others from their layer on, prompts[l] replaces the
        last n tokens before layer l, and None leaves them.
        """
        x = self.embed(images)
        patches, first = x.shape[1], prompts[0]
        x = self.begin(x if first is None else _behind(x, first))
        for i, block in enumerate(self.blocks):
            prompt = prompts[i] if 0 < i < len(prompts) else None
            x = block(x if prompt is None else _behind(x[:, :patches], prompt))
        return self.finish(x[:, :patches])

    @classmethod
    def of(cls, visual: Any) -> ImageTower:
        """The steps of an open_clip model's image tower.

        Raises:
            DepthubError: if it is not a vision transformer.
        """
        if isinstance(visual, VisionTransformer):
            return _of_open_clip(visual)
        trunk = visual.trunk if isinstance(visual, TimmModel) else visual
        if isinstance(trunk, TimmTransformer):
            return _of_timm(visual, trunk)
        raise DepthubError(f"image prompts need a vision transformer; this backbone's image tower is a {type(trunk).__name__}")


def fits(visual: Any) -> bool:
    """Whether `encode` applies: open_clip's vision transformer with its standard layers, whose feature is its class token.

    Wrapped, adapted or quantised parts do not fit.
    """
    return (
        type(visual) is VisionTransformer
        and type(visual.conv1) is nn.Conv2d
        and (visual.attn_pool, visual.pool_type, visual.output_tokens) == (None, "tok", False)
        and all(map(standard, visual.transformer.resblocks))
    )


def encode(visual: Any, images: Tensor, prompts: Prompted = (), overlay: Overlay = NOTHING, *, recompute: bool = False) -> Tensor:
    """The features of `ImageTower.encode`, or without prompts of open_clip itself, for towers that fit.

    Args:
        visual: the tower, frozen.
        images: pixels (B, 3, H, W).
        prompts: as in `ImageTower.encode`; None leaves the tokens of the layer before. None at all: the plain features.
        overlay: changes to the tower.
        recompute: save only each layer's input for the backward pass and compute the rest again.

    Returns:
        (B, d), not normalised.
    """
    return project(visual, through(visual, begin(visual, images), prompts, overlay, recompute=recompute)[:, 0], overlay)


@torch.no_grad()  # patches have no tuned part
def begin(visual: Any, images: Tensor) -> Tensor:
    """Class token and patches as the first layer's input, (B, 1 + P, w_v)."""
    tokens: Tensor = visual.ln_pre(_tokens(visual, images))
    return tokens


def project(visual: Any, x: Tensor, overlay: Overlay = NOTHING) -> Tensor:
    """Tokens behind the last layer, (..., w_v), in the joint space, (..., d), not normalised."""
    pooled = normed(visual.ln_post, x, overlay.end, "ln_post")
    projection = overlay.end.get("proj", visual.proj)
    return pooled if projection is None else pooled @ projection


def through(
    visual: Any,
    x: Tensor,
    prompts: Prompted = (),
    overlay: Overlay = NOTHING,
    start: int = 0,
    end: int | None = None,
    *,
    all_rows: bool = False,
    recompute: bool = False,
) -> Tensor:
    """Tokens from the input of one layer to that of another.

    Args:
        visual, prompts, overlay, recompute: as in `encode`.
        x: the input of layer `start`, (B, T, w_v).
        start: the first layer that they go through.
        end: the first layer that they do not go through; None: they go through all.
        all_rows: whether the last layer of all gives all rows; otherwise that of the class token alone.

    Returns:
        (B, rows, w_v), learned tokens behind the others.
    """
    blocks, there = visual.transformer.resblocks, 0  # learned tokens among x
    for i in range(start, len(blocks) if end is None else end):
        prompt = prompts[i] if i < len(prompts) else None
        learned = None if prompt is None else prompt.to(x.dtype).expand(1, -1, -1)
        if learned is not None:
            learned = visual.ln_pre(learned) if i == 0 else learned
            x, there = x[:, :-there] if there else x, 0
        last = i == len(blocks) - 1 and not all_rows
        stay = learned is not None and (i + 1 >= len(prompts) or prompts[i + 1] is None)  # no deeper prompt replaces them
        there = learned.shape[1] if learned is not None and stay else there
        rows = 1 if last else x.shape[1] + (there if stay else 0)
        arguments = (blocks[i], x, learned, rows, overlay.layers.get(i))
        if recompute and torch.is_grad_enabled():
            x = checkpoint(_layer, *arguments, use_reentrant=False, preserve_rng_state=False)
        else:
            x = _layer(*arguments)
    return x


def _layer(block: Any, x: Tensor, learned: Tensor | None, rows: int, overlay: LayerOverlay | None) -> Tensor:
    """One layer.

    Args:
        block: open_clip's.
        x: its input, (B, T, w_v).
        learned: further input rows behind x, the same for all images, (1, n, w_v).
        rows: number of output rows, of T + n: 1 for the class token alone, T for those of x, or all.
        overlay: changes to it; None: there are none.

    Returns:
        (B, rows, w_v).
    """
    if overlay is not None:
        inputs = x if learned is None else _behind(x, learned)
        return Layer(block, overlay)(inputs, row=0 if rows == 1 else None)[:, :rows]
    attn, width = block.attn, x.shape[-1]
    weight, bias, normed = attn.in_proj_weight, attn.in_proj_bias, block.ln_1(x)
    if rows == 1:
        q = linear(normed[:, :1], weight[:width], bias[:width])
        k, v = linear(normed, weight[width:], bias[width:]).chunk(2, dim=-1)
        x = x[:, :1]
    else:
        q, k, v = linear(normed, weight, bias).chunk(3, dim=-1)
    if learned is not None:
        learned_q, learned_k, learned_v = linear(block.ln_1(learned), weight, bias).chunk(3, dim=-1)
        k, v = _behind(k, learned_k), _behind(v, learned_v)
        if rows > x.shape[1]:
            q, x = _behind(q, learned_q), _behind(x, learned)
    q, k, v = (part.view(*part.shape[:2], attn.num_heads, -1).transpose(1, 2) for part in (q, k, v))  # (B, heads, tokens, w_v / heads)
    attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    return after_attention(block, x, attended)


def _tokens(visual: Any, images: Tensor) -> Tensor:
    """Class token and patches with their positions, (B, 1 + P, w_v); the patches' convolution does not overlap, so it is one product."""
    kernel = visual.conv1.weight  # (w_v, 3, h, w)
    high, wide = kernel.shape[-2:]
    down, across = images.shape[-2] // high, images.shape[-1] // wide  # pixels beyond the last whole patch are not read
    cut = images[..., : down * high, : across * wide].reshape(len(images), -1, down, high, across, wide)
    patches = linear(cut.permute(0, 2, 4, 1, 3, 5).reshape(len(images), down * across, -1), kernel.flatten(1))
    return _placed(visual, patches)


def _placed(visual: Any, patches: Tensor) -> Tensor:
    first = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    tokens: Tensor = torch.cat([first, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
    return tokens


def _of_open_clip(visual: Any) -> ImageTower:
    def embed(images: Tensor) -> Tensor:
        return _placed(visual, visual.conv1(images).flatten(2).transpose(1, 2))

    def finish(x: Tensor) -> Tensor:
        pooled: Tensor = visual._pool(x)[0]
        return pooled if visual.proj is None else pooled @ visual.proj

    return ImageTower(int(visual.conv1.out_channels), visual.transformer.resblocks, embed, visual.ln_pre, finish)


def _of_timm(visual: Any, trunk: Any) -> ImageTower:
    def embed(images: Tensor) -> Tensor:
        tokens: Tensor = trunk._pos_embed(trunk.patch_embed(images))
        return tokens

    def finish(x: Tensor) -> Tensor:
        features: Tensor = visual.head(trunk.forward_head(trunk.norm(x)))
        return features

    return ImageTower(int(trunk.embed_dim), trunk.blocks, embed, trunk.norm_pre, finish)


def _behind(x: Tensor, more: Tensor) -> Tensor:
    """x (B, T, w) with the same n rows, (n, w) or (1, n, w), behind every one of its B."""
    return torch.cat([x, more.to(x.dtype).expand(len(x), -1, -1)], dim=1)
