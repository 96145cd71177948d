"""The text tower with learned tokens, in two ways: `encode_trie`, fast, and `encode_sentences`, the reference.

The reference sends every token of every sentence through open_clip's own layers. The fast way computes every distinct beginning of the
sentences once, as one row of a trie (`token_trie` draws one), and constants once for all steps. The mathematics is the same; only sums
are ordered differently. Linear maps see one row for each distinct beginning and no padding; attention gathers queries and keys along the
sentences; the last layer's output is computed at the end tokens alone. Weights have no gradient.
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
from depthub.encoding.overlaid import Prompted
from depthub.encoding.sentences import Sentences
from depthub.encoding.token_trie import Attention, Trie


def fits(text: Any) -> bool:
    """Whether `encode_trie` applies: a causal text tower of open_clip's standard layers, whose parts it uses one by one.

    Wrapped, adapted or quantised parts have other types and do not fit; such towers read whole sentences.
    """
    return text.attn_mask is not None and all(map(standard, text.transformer.resblocks))


def encode_sentences(text: Any, sentences: Sentences, prompts: Prompted) -> Tensor:
    """The reference: the last layer's output at the end tokens, (G, M, w).

    Args:
        text: the text tower.
        sentences: of M classes, with n learned tokens each.
        prompts: prompts[l] overwrites the learned tokens before layer l, from the input (l = 0) on; (G, M, n, w), where G or M may be 1;
            None, not at the input, leaves them.
    """
    tokens = text.token_embedding(sentences.ids).to(tokens_of(prompts)[0].dtype)  # (M, L, w)
    present = tokens_of(prompts)
    groups = max(map(len, present))
    x = _write(tokens.expand(groups, -1, -1, -1), present[0], sentences.slots)
    x = x + text.positional_embedding.to(tokens.dtype)  # (G, M, L, w)
    for i, block in enumerate(text.transformer.resblocks):
        prompt = prompts[i] if 0 < i < len(prompts) else None
        if prompt is not None:
            x = _write(x, prompt, sentences.slots)
        x = block(x.flatten(0, 1), attn_mask=text.attn_mask).view_as(x)
    ends: Tensor = x[:, torch.arange(x.shape[1], device=x.device), sentences.ends]
    return ends


def tokens_of(prompts: Prompted) -> list[Tensor]:
    """The learned tokens of the layers that have some."""
    return [prompt for prompt in prompts if prompt is not None]


def _write(x: Tensor, prompt: Tensor, slots: Tensor) -> Tensor:
    """x (G, M, L, w) with the tokens at `slots` (M, n) overwritten by a prompt (G, M, n, w), in which G or M may be 1."""
    groups, classes, _, width = x.shape
    return x.scatter(2, slots[None, :, :, None].expand(groups, -1, -1, width), prompt.expand(groups, classes, -1, -1))


@dataclass(frozen=True)
class Constants:
    """The parts of a trie's states that the frozen model alone determines.

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
    """A trie's constants, from the token embeddings (vocabulary, w) and the positional embeddings (context length, w)."""
    rows = embedding[trie.ids]
    rows[trie.constant + trie.slots] = 0
    rows = (rows.to(positions.dtype) + positions[trie.places])[None]
    x, rows = rows[:, : trie.constant], rows[:, trie.constant :]
    before = []
    for block in blocks:
        q, kv = _split(_project(block, x))
        before.append(kv[0])
        nothing = kv[0, :0]  # constant rows have no rows before them
        x = after_attention(block, x, _attend(q, kv, nothing, trie.before, block.attn.num_heads))
    return Constants(before, rows, _project(blocks[0], rows))


def encode_trie(blocks: Sequence[Any], trie: Trie, fixed: Constants, prompts: Prompted) -> Tensor:
    """The fast way: the last layer's output at the end tokens, (G, M, w).

    Args:
        blocks: the text tower's layers.
        trie: of the M classes' sentences.
        fixed: the constants of these layers and this trie.
        prompts: prompts[l] overwrites the learned tokens before layer l, from the input (l = 0) on; (G, tokens, w) or (1, tokens, w); None,
            not at the input, leaves them.
    """
    at_input = prompts[0]
    assert at_input is not None, "tokens that join later have no trie"
    learned = at_input.index_select(1, trie.learned) + fixed.rows[:, trie.slots]  # with their positions, (G, V, w)
    x = _overwrite(fixed.rows, trie, learned)
    for i, (block, before) in enumerate(zip(blocks[:-1], fixed.before, strict=False)):
        x = _enter(x, trie, prompts, i)
        # in the first layer only learned tokens are not constant
        projected = _project(block, x) if i else _overwrite(fixed.first, trie, _project(block, learned))
        q, kv = _split(projected)
        x = after_attention(block, x, _attend(q, kv, before, trie.within, block.attn.num_heads))
    return _last_layer(blocks[-1], _enter(x, trie, prompts, len(blocks) - 1), trie, fixed.before[-1])


def _enter(x: Tensor, trie: Trie, prompts: Prompted, layer: int) -> Tensor:
    """The rows with a deep prompt, if there is one for this layer."""
    prompt = prompts[layer] if 0 < layer < len(prompts) else None
    return x if prompt is None else _overwrite(x, trie, prompt.index_select(1, trie.learned))


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


def _last_layer(block: Any, x: Tensor, trie: Trie, before: Tensor) -> Tensor:
    """The last layer's output at the end tokens, (G, M, w): of all other rows it needs keys and values alone."""
    normed, attn = block.ln_1(x), block.attn
    q_weight, kv_weight = _split(attn.in_proj_weight.t())
    q_bias, kv_bias = _split(attn.in_proj_bias)
    q = linear(normed.index_select(1, trie.ends), q_weight.t(), q_bias)
    kv = linear(normed, kv_weight.t(), kv_bias)
    return after_attention(block, x.index_select(1, trie.ends), _attend(q, kv, before, trie.reading, attn.num_heads))


def _attend(q: Tensor, kv: Tensor, before: Tensor, attention: Attention, heads: int) -> Tensor:
    """Attention output for the rows of q, (G, rows, w).

    Args:
        q: queries, (G, rows, w).
        kv: keys and values of the R rows, (G, R, 2w).
        before: keys and values of the K constant rows, (K, 2w).
        attention: the keys of each query.
        heads: of the layer.
    """
    groups, _, width = q.shape
    pieces = groups * len(attention.mask)  # G B
    rows = torch.cat([before.expand(groups, -1, -1), kv], dim=1).index_select(1, attention.keys).view(pieces, -1, 2 * width)
    k, v = torch.split(rows, width, dim=-1)  # (G B, T, w) each
    q = q.index_select(1, attention.queries).view(pieces, -1, width)  # (G B, S, w)
    mask = attention.mask.to(q.dtype).expand(groups, -1, -1, -1, -1).flatten(0, 1)  # (G B, 1, S, T)
    out = F.scaled_dot_product_attention(_by_head(q, heads), _by_head(k, heads), _by_head(v, heads), attn_mask=mask)
    rows = out.transpose(1, 2).reshape(groups, -1, width).narrow(1, 0, attention.count)
    return rows.contiguous()  # else a linear map would go through the groups one by one


def _by_head(x: Tensor, heads: int) -> Tensor:
    """x (B, T, w) with a dimension of heads, (B, heads, T, w / heads)."""
    pieces, tokens, width = x.shape
    return x.view(pieces, tokens, heads, width // heads).transpose(1, 2)
