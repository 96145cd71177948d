"""The text tower on a trie: every distinct beginning of a class sentence is computed once, and constants once for all.

The mathematics is that of whole sentences through open_clip's own layers; only sums are ordered differently. Linear maps see one row for
each distinct beginning and no padding; attention gathers queries and keys along the sentences. The last layer's output is needed at the
end tokens alone. Weights have no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from depthub.compute.linear import linear
from depthub.encoding.layer import after_attention, standard
from depthub.encoding.token_trie import Attention, Trie


def fits(text: Any) -> bool:
    """Whether a text tower is causal and all its layers are open_clip's standard ones, whose parts are used here one by one.

    Wrapped, adapted or quantised parts have other types and do not fit; such towers read whole sentences.
    """
    return text.attn_mask is not None and all(map(standard, text.transformer.resblocks))


@dataclass(frozen=True)
class Constants:
    """What the frozen model makes of a trie, whatever is learned.

    Args:
        before: keys and values of the constant rows in each layer, (K, 2w) each.
        rows: input of the other rows, (1, R, w); of learned tokens the position alone.
        first: their queries, keys and values in the first layer, (1, R, 3w); meaningless at learned tokens.
    """

    before: list[Tensor]
    rows: Tensor
    first: Tensor


@torch.no_grad()
def constants(blocks: Sequence[Any], trie: Trie, embedding: Tensor, positions: Tensor) -> Constants:
    """Compute them from the token embeddings (vocabulary, w) and the positional embeddings (context length, w)."""
    rows = embedding[trie.ids]
    rows[trie.constant + trie.slots] = 0
    rows = (rows.to(positions.dtype) + positions[trie.places])[None]
    x, rows = rows[:, : trie.constant], rows[:, trie.constant :]
    before = []
    for block in blocks:
        q, kv = _split(_project(block, x))
        before.append(kv[0])
        x = after_attention(block, x, _attend(q, kv, kv[0, :0], trie.before, block.attn.num_heads))  # nothing stands before them
    return Constants(before, rows, _project(blocks[0], rows))


def encode(blocks: Sequence[Any], trie: Trie, fixed: Constants, prompts: Sequence[Tensor]) -> Tensor:
    """The last layer's output at the end tokens, (G, M, w).

    Args:
        blocks: the text tower's layers.
        trie: of the M classes' sentences.
        fixed: the constants of these layers and this trie.
        prompts: prompts[l] overwrites the learned tokens before layer l, from the input (l = 0) on; (G, tokens, w) or (1, tokens, w).
    """
    written = prompts[0].index_select(1, trie.learned) + fixed.rows[:, trie.slots]  # with their positions, (G, V, w)
    x = _overwrite(fixed.rows, trie, written)
    for i, (block, before) in enumerate(zip(blocks[:-1], fixed.before, strict=False)):
        x = _enter(x, trie, prompts, i)
        q, kv = _split(_project(block, x) if i else _overwrite(fixed.first, trie, _project(block, written)))
        x = after_attention(block, x, _attend(q, kv, before, trie.within, block.attn.num_heads))
    return _read(blocks[-1], _enter(x, trie, prompts, len(blocks) - 1), trie, fixed.before[-1])


def _enter(x: Tensor, trie: Trie, prompts: Sequence[Tensor], layer: int) -> Tensor:
    """The rows with a deep prompt, if there is one for this layer."""
    return _overwrite(x, trie, prompts[layer].index_select(1, trie.learned)) if 0 < layer < len(prompts) else x


def _overwrite(x: Tensor, trie: Trie, values: Tensor) -> Tensor:
    """x (G, R, w) with values (G, V, w) at the learned tokens; either G may be 1."""
    groups = max(len(x), len(values))
    return x.expand(groups, -1, -1).index_copy(1, trie.slots, values.expand(groups, -1, -1))


def _project(block: Any, x: Tensor) -> Tensor:
    """Queries, keys and values, (G, R, 3w)."""
    return linear(block.ln_1(x), block.attn.in_proj_weight, block.attn.in_proj_bias)


def _split(projected: Tensor) -> tuple[Tensor, ...]:
    """Queries (..., w), and keys with values (..., 2w)."""
    width = projected.shape[-1] // 3
    return torch.split(projected, [width, 2 * width], dim=-1)


def _read(block: Any, x: Tensor, trie: Trie, before: Tensor) -> Tensor:
    """The last layer, which only the end tokens leave, (G, M, w)."""
    normed, attn = block.ln_1(x), block.attn
    (to_q, to_kv), (q_bias, kv_bias) = _split(attn.in_proj_weight.t()), _split(attn.in_proj_bias)
    q, kv = linear(normed.index_select(1, trie.ends), to_q.t(), q_bias), linear(normed, to_kv.t(), kv_bias)
    return after_attention(block, x.index_select(1, trie.ends), _attend(q, kv, before, trie.reading, attn.num_heads))


def _attend(q: Tensor, kv: Tensor, before: Tensor, attention: Attention, heads: int) -> Tensor:
    """What the rows of q see, (G, rows, w).

    Args:
        q: queries, (G, rows, w).
        kv: keys and values of the R rows, (G, R, 2w).
        before: keys and values of the K constant rows, (K, 2w).
    """
    groups, _, width = q.shape
    pieces = groups * len(attention.mask)
    kv = torch.cat([before.expand(groups, -1, -1), kv], dim=1).index_select(1, attention.keys).view(pieces, -1, 2 * width)
    asking, k, v = (
        rows.view(pieces, -1, heads, width // heads).transpose(1, 2)
        for rows in (q.index_select(1, attention.queries), *torch.split(kv, width, dim=-1))
    )  # (G B, H, S or T, d)
    mask = attention.mask.to(q.dtype).expand(groups, -1, -1, -1, -1).flatten(0, 1)
    found = F.scaled_dot_product_attention(asking, k, v, attn_mask=mask).transpose(1, 2)  # (G B, S, H, d)
    # contiguous, since a linear map would else go through the groups one by one
    return found.reshape(groups, -1, width).narrow(1, 0, attention.count).contiguous()
