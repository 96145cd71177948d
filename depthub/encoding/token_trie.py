"""Class sentences as a trie: one row for each distinct beginning, and which rows attend to which.

With a causal mask a token's state depends on no token behind it. Sentences that begin alike therefore share the states of their common
beginning, exactly, and what stands before the first learned token never changes. Here are indices only; `text_encoder` computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

ASKING = 16  # rows in a piece of attention; more copy fewer keys, fewer multiply fewer pairs that do not see one another


@dataclass(frozen=True)
class Attention:
    """What attends to what: B pieces of S queries, each with the T keys that any of them sees.

    Pieces are filled up to one size. No query sees a key that fills up; queries that fill up stand at the end, and nobody reads them.

    Args:
        count: queries without those.
        queries: each query's row among those that ask, (B * S,).
        keys: row of each key, counted from the first constant row, (B * T,).
        mask: what is added to the scores, 0 where a query sees a key and -inf elsewhere, (B, 1, S, T).
    """

    count: int
    queries: Tensor
    keys: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Trie:
    """K constant rows, which stand before any learned token of their sentences, and R other rows.

    Args:
        ids: token id of each row, the constant ones first, (K + R,); 0 for learned tokens.
        places: each row's position in its sentences, (K + R,).
        slots: which of the R rows are learned tokens, (V,).
        learned: which learned token each of these is, (V,).
        ends: which of the R rows are the classes' end tokens, (M,).
        before: attention of the constant rows.
        within: attention of the other rows.
        reading: attention of the M end tokens alone.
    """

    ids: Tensor
    places: Tensor
    slots: Tensor
    learned: Tensor
    ends: Tensor
    before: Attention
    within: Attention
    reading: Attention

    @property
    def constant(self) -> int:
        """K."""
        return self.before.count


def build_trie(sentences: Sequence[Sequence[int]], device: torch.device, dtype: torch.dtype) -> Trie:
    """The trie of M sentences.

    Args:
        sentences: from the start token to the end token, a token's id, or -1 - i for the learned token i.
        device: where the trie's tensors are.
        dtype: of its masks.
    """
    before: dict[tuple[int, int], int] = {}  # (row of the token in front, symbol) -> row
    within: dict[tuple[int, int], int] = {}
    begins = [next((i for i, symbol in enumerate(s[:-1]) if symbol < 0), len(s) - 1) for s in sentences]
    stems = [_insert(before, 0, -1, s[:begin]) for s, begin in zip(sentences, begins, strict=True)]
    tails = [(stem, s[begin:]) for s, begin, stem in zip(sentences, begins, stems, strict=True)]
    for stem, tail in sorted(tails):  # rows of sentences that begin alike lie together, and so share a piece of attention
        _insert(within, len(before), stem, tail)
    ends = [_insert(within, len(before), *tail) for tail in tails]
    paths: list[list[int]] = []
    for row, (parent, _) in enumerate((*before, *within)):
        paths.append([*(paths[parent] if parent >= 0 else ()), row])
    symbols = torch.tensor([symbol for _, symbol in (*before, *within)], device=device)
    slots = (symbols[len(before) :] < 0).nonzero()[:, 0]
    mask = torch.zeros((), device=device, dtype=dtype)
    return Trie(
        ids=symbols.clamp(min=0),
        places=torch.tensor([len(path) - 1 for path in paths], device=device),
        slots=slots,
        learned=-1 - symbols[len(before) :][slots],
        ends=torch.tensor(ends, device=device) - len(before),
        before=_attention(paths[: len(before)], mask),
        within=_attention(paths[len(before) :], mask),
        reading=_attention([paths[row] for row in ends], mask),
    )


def _insert(rows: dict[tuple[int, int], int], first: int, row: int, symbols: Sequence[int]) -> int:
    """The row where `symbols` lead from `row`; rows that are new are counted from `first`."""
    for symbol in symbols:
        row = rows.setdefault((row, symbol), first + len(rows))
    return row


def _attention(paths: Sequence[Sequence[int]], like: Tensor) -> Attention:
    """Of rows, each of which sees its path; the mask has the type of `like`, and all is where it is."""
    size = ceil(len(paths) / ceil(len(paths) / ASKING))
    parts = [paths[i : i + size] for i in range(0, len(paths), size)]
    known = [sorted(set().union(*part)) for part in parts]
    length = max(map(len, known))
    keys = torch.tensor([rows + [0] * (length - len(rows)) for rows in known])
    mask = torch.full((len(parts), size, length), float("-inf"), dtype=like.dtype)
    mask[..., 0] = 0  # all see the start token, also what fills up: a query that sees nothing would become NaN
    for piece, (part, rows) in enumerate(zip(parts, known, strict=True)):
        place = {row: i for i, row in enumerate(rows)}
        asking = [i for i, path in enumerate(part) for _ in path]
        mask[piece, asking, [place[row] for path in part for row in path]] = 0
    queries = torch.arange(len(parts) * size).clamp(max=len(paths) - 1)
    return Attention(len(paths), queries.to(like.device), keys.flatten().to(like.device), mask[:, None].to(like.device))
