"""Class sentences that begin alike, encoded exactly but without repeating their common beginning.

With a causal mask a token's state depends on the tokens before it only. The start token and the context are the same in every class, so
their states are too: they are computed once, and each class adds only the tokens of its own name, which attend to the common beginning
and to themselves. The last layer's output is needed at the end tokens alone. The mathematics is the plain path's; only sums are ordered
differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional as F


def fits(blocks: Sequence[nn.Module]) -> bool:
    """Whether every layer is open_clip's standard one, whose parts are used here one by one."""
    return all(type(b) is ResidualAttentionBlock and type(b.attn) is nn.MultiheadAttention and b.attn.batch_first for b in blocks)


def encode(blocks: Sequence[Any], prefix: Tensor, suffix: Tensor, deep: Sequence[Tensor], ends: Tensor) -> Tensor:
    """The last layer's output at the end tokens.

    Args:
        blocks: the text tower's layers.
        prefix: input rows of the common beginning, (G, P, w), for G groups: 1, or the images of a batch.
        suffix: input rows of the M classes' own tokens, (G, M, S, w), padded behind the end token.
        deep: deep[l - 1] overwrites the prefix's rows 1 to n before layer l; (n, w) or (G, n, w).
        ends: place of the end token among a class's own tokens, (M,).

    Returns:
        (G, M, w).
    """
    for i, block in enumerate(blocks):
        if 0 < i <= len(deep):
            n = deep[i - 1].shape[-2]
            own = deep[i - 1].to(prefix.dtype).expand(len(prefix), -1, -1)
            prefix = torch.cat([prefix[:, :1], own, prefix[:, 1 + n :]], dim=1)
        last = i == len(blocks) - 1
        prefix, suffix = _layer(block, prefix, suffix, ends if last else None)
    return suffix


def _layer(block: Any, prefix: Tensor, suffix: Tensor, ends: Tensor | None) -> tuple[Tensor, Tensor]:
    """One layer; with `ends` the last one, which gives the end tokens' rows only, (G, M, w)."""
    (groups, common, width), (_, classes, length, _) = prefix.shape, suffix.shape
    attn, sizes = block.attn, [groups * common, groups * classes * length]
    rows = torch.cat([prefix.reshape(-1, width), suffix.reshape(-1, width)])  # one matrix for all linear maps
    projected = F.linear(block.ln_1(rows), attn.in_proj_weight, attn.in_proj_bias)
    begun, own = torch.split(projected, sizes)
    q, k, v = begun.view(groups, common, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)  # (G, H, P, d) each
    own_q, own_k, own_v = own.view(groups, classes, length, 3, attn.num_heads, -1).permute(3, 0, 1, 4, 2, 5)  # (G, M, H, S, d) each
    # a token sees the whole beginning and of its own class what stands before it
    visible = torch.ones(length, common + length, dtype=torch.bool, device=rows.device).tril(common)
    keys, values = (torch.cat([x[:, None].expand(-1, classes, -1, -1, -1), y], dim=3).flatten(0, 1) for x, y in ((k, own_k), (v, own_v)))
    seen = F.scaled_dot_product_attention(own_q.flatten(0, 1), keys, values, attn_mask=visible)  # (GM, H, S, d)
    seen = seen.transpose(1, 2).reshape(groups, classes, length, width)
    if ends is not None:
        at = torch.arange(classes, device=rows.device)
        return prefix, _finish(block, suffix[:, at, ends], seen[:, at, ends])
    begun = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(-1, width)
    rows = _finish(block, rows, torch.cat([begun, seen.reshape(-1, width)]))
    prefix, suffix = torch.split(rows, sizes)
    return prefix.view(groups, common, width), suffix.view(groups, classes, length, width)


def _finish(block: Any, rows: Tensor, attended: Tensor) -> Tensor:
    """What follows the attention, row by row."""
    rows = rows + block.ls_1(block.attn.out_proj(attended))
    finished: Tensor = rows + block.ls_2(block.mlp(block.ln_2(rows)))
    return finished
