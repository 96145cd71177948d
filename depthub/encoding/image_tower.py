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
from depthub.errors import DepthubError


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

    def encode(self, images: Tensor, prompts: Sequence[Tensor]) -> Tensor:
        """Features (B, d) with learned tokens: prompts[0] (n, w_v) stands behind the others from the input on, prompts[l] replaces the
        last n tokens before layer l.
        """
        x = self.embed(images)
        n = prompts[0].shape[-2]
        x = self.begin(_behind(x, prompts[0]))
        for i, block in enumerate(self.blocks):
            if 0 < i < len(prompts):
                x = _behind(x[:, :-n], prompts[i])
            x = block(x)
        return self.finish(x[:, :-n])

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


def encode(visual: Any, images: Tensor, prompts: Sequence[Tensor] = (), *, recompute: bool = False) -> Tensor:
    """The features of `ImageTower.encode`, or without prompts of open_clip itself, for towers that fit.

    Args:
        visual: the tower, frozen.
        images: pixels (B, 3, H, W).
        prompts: as in `ImageTower.encode`; none: the plain features.
        recompute: save only each layer's input for the backward pass and compute the rest again.

    Returns:
        (B, d), not normalised.
    """
    blocks = visual.transformer.resblocks
    with torch.no_grad():  # patches have no tuned part
        x = visual.ln_pre(_tokens(visual, images))
    for i, block in enumerate(blocks):
        learned = prompts[i].to(x.dtype).expand(1, -1, -1) if i < len(prompts) else None
        if i == 0 and learned is not None:
            learned = visual.ln_pre(learned)
        staying = learned.shape[1] if learned is not None and i == len(prompts) - 1 else 0  # no deeper prompt replaces them
        rows = 1 if i == len(blocks) - 1 else x.shape[1] + staying
        if recompute and torch.is_grad_enabled():
            x = checkpoint(_layer, block, x, learned, rows, use_reentrant=False, preserve_rng_state=False)
        else:
            x = _layer(block, x, learned, rows)
    pooled: Tensor = visual.ln_post(x[:, 0])
    return pooled if visual.proj is None else pooled @ visual.proj


def _layer(block: Any, x: Tensor, learned: Tensor | None, rows: int) -> Tensor:
    """One layer.

    Args:
        block: open_clip's.
        x: its input, (B, T, w_v).
        learned: further input rows behind x, the same for all images, (1, n, w_v).
        rows: number of output rows, of T + n: 1 for the class token alone, T for those of x, or all.

    Returns:
        (B, rows, w_v).
    """
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
