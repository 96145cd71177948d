"""Vision transformers taken apart where learned tokens enter: open_clip's own, and timm's inside open_clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from timm.models.vision_transformer import VisionTransformer as TimmTransformer
from torch import Tensor

from depthub.errors import DepthubError


@dataclass(frozen=True)
class ImageTower:
    """A vision transformer in four steps.

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
        """Features (B, d) with learned tokens: prompts[0] (n, w_v) stands behind the others from the input on, prompts[l] takes the
        place of the last n tokens before layer l.
        """
        x = self.embed(images)
        n = prompts[0].shape[-2]
        x = self.begin(torch.cat([x, _rows(prompts[0], x)], dim=1))
        for i, block in enumerate(self.blocks):
            if 0 < i < len(prompts):
                x = torch.cat([x[:, :-n], _rows(prompts[i], x)], dim=1)
            x = block(x)
        return self.finish(x[:, :-n])


def image_tower(visual: Any) -> ImageTower:
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


def _of_open_clip(visual: Any) -> ImageTower:
    def embed(images: Tensor) -> Tensor:
        patches = visual.conv1(images).flatten(2).transpose(1, 2)  # (B, P, w_v)
        first = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        tokens: Tensor = torch.cat([first, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
        return tokens

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


def _rows(prompt: Tensor, x: Tensor) -> Tensor:
    return prompt.to(x.dtype).expand(len(x), -1, -1)
