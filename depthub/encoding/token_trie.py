"""Class sentences as a trie: one row for each distinct beginning, and which rows attend to which.

With a causal mask a token's state depends on no token behind it. Sentences that begin alike therefore share the states of their common
beginning, exactly, and states in front of the first learned token never change. This module has indices only; `text_tower` computes.

An example: the context "a photo of a", with learned tokens [0] and [1] in place of its first two words, before three classes:

    start [0] [1] of a car .      end
    start [0] [1] of a car park . end
    start [0] [1] of a cat .      end

These are 25 tokens, but only 14 distinct beginnings. K = 1 of them is constant; R = 13 are rows, computed in every step. A row's path
leads from the start to the row:

    constant   rows
    start ---- 0 [0] -- 1 [1] -- 2 of -- 3 a --+-- 4 car --+--  5 .     --  6 end             feature of "car"
                                               |           +--  7 park  --  8 .   --  9 end   feature of "car park"
                                               +-- 10 cat  ---- 11 .    -- 12 end             feature of "cat"

Each row attends to its path. Rows that lie side by side do so as one piece: its keys are the union of their paths, and its mask hides
from each row the keys outside its own path. The piece of the rows 5 to 9, with x where a row (down) attends to a key (across):

             start  0  1  2  3  4  5  6  7  8  9
     5 .       x    x  x  x  x  x  x
     6 end     x    x  x  x  x  x  x  x
     7 park    x    x  x  x  x  x        x
     8 .       x    x  x  x  x  x        x  x
     9 end     x    x  x  x  x  x        x  x  x
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

QUERIES = 16  # rows in a piece of attention; more copy fewer keys, fewer multiply fewer hidden pairs

Edge = tuple[int, int]  # (row of the token in front, symbol)


@dataclass(frozen=True)
class Attention:
    """Attention of rows to their paths: B pieces of S queries, each piece with the T keys in the union of its paths.

    Pieces are padded to one size. A padding key is hidden from every query; padding queries stand at the end, and their outputs are
    discarded.

    Args:
        count: queries without padding.
        queries: each query's place among the rows that attend, (B * S,).
        keys: row of each key, counted from the first constant row, (B * T,).
        mask: addend of the scores, 0 where a query attends to a key and -inf elsewhere, (B, 1, S, T).
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
        slots: index among the R rows of each learned token, (V,).
        learned: number of each of these learned tokens, (V,).
        ends: index among the R rows of each class's end token, (M,).
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
        sentences: symbols from the start token to the end token: a token's id, or -1 - i for the learned token i.
        device: of the trie's tensors.
        dtype: of its masks.
    """
    constant, rows, ends = _edges(sentences)
    edges = (*constant, *rows)
    paths = _paths(edges)
    symbols = torch.tensor([symbol for _, symbol in edges], device=device)
    slots = (symbols[len(constant) :] < 0).nonzero()[:, 0]
    mask = torch.zeros((), device=device, dtype=dtype)
    return Trie(
        ids=symbols.clamp(min=0),
        places=torch.tensor([len(path) - 1 for path in paths], device=device),
        slots=slots,
        learned=-1 - symbols[len(constant) :][slots],
        ends=torch.tensor(ends, device=device) - len(constant),
        before=_attention(paths[: len(constant)], mask),
        within=_attention(paths[len(constant) :], mask),
        reading=_attention([paths[row] for row in ends], mask),
    )


def _edges(sentences: Sequence[Sequence[int]]) -> tuple[Mapping[Edge, int], Mapping[Edge, int], list[int]]:
    """Edges to the constant rows and to the others, each with the row that it leads to, and the row of each sentence's end."""
    constant: dict[Edge, int] = {}
    rows: dict[Edge, int] = {}
    stems, tails = [], []
    for symbols in sentences:
        begin = _first_row(symbols)
        stems.append(_insert(constant, 0, -1, symbols[:begin]))
        tails.append(symbols[begin:])
    ends = [0] * len(sentences)
    # sorted, so that rows of sentences that begin alike lie side by side and share a piece of attention
    for i in sorted(range(len(sentences)), key=lambda i: (stems[i], tails[i])):
        ends[i] = _insert(rows, len(constant), stems[i], tails[i])
    return constant, rows, ends


def _first_row(symbols: Sequence[int]) -> int:
    """Where a sentence stops being constant: at its first learned token, or else at its end, which is always a row."""
    return next((i for i, symbol in enumerate(symbols[:-1]) if symbol < 0), len(symbols) - 1)


def _insert(rows: dict[Edge, int], first: int, row: int, symbols: Sequence[int]) -> int:
    """Add the path of `symbols` behind `row`, new rows counted from `first`; returns its last row."""
    for symbol in symbols:
        row = rows.setdefault((row, symbol), first + len(rows))
    return row


def _paths(edges: Sequence[Edge]) -> list[list[int]]:
    """The path of every row: the rows from the start to the row itself. A row's edge stands behind those of its path."""
    paths: list[list[int]] = []
    for row, (parent, _) in enumerate(edges):
        paths.append([*paths[parent], row] if parent >= 0 else [row])
    return paths


def _attention(paths: Sequence[Sequence[int]], like: Tensor) -> Attention:
    """Attention of rows to their paths; the mask has the type of `like`, and all tensors lie where `like` does."""
    size = ceil(len(paths) / ceil(len(paths) / QUERIES))
    pieces = [paths[i : i + size] for i in range(0, len(paths), size)]
    unions = [sorted(set().union(*piece)) for piece in pieces]
    length = max(map(len, unions))
    keys = torch.tensor([union + [0] * (length - len(union)) for union in unions])
    mask = torch.full((len(pieces), size, length), float("-inf"), dtype=like.dtype)
    mask[..., 0] = 0  # every query attends to the start token, padding too: softmax over nothing would be NaN
    for number, (piece, union) in enumerate(zip(pieces, unions, strict=True)):
        queries, places = _visible(piece, union)
        mask[number, queries, places] = 0
    order = torch.arange(len(pieces) * size).clamp(max=len(paths) - 1)
    return Attention(len(paths), order.to(like.device), keys.flatten().to(like.device), mask[:, None].to(like.device))


def _visible(piece: Sequence[Sequence[int]], union: Sequence[int]) -> tuple[list[int], list[int]]:
    """The pairs (query, key) of a piece where the query attends to the key, by their places in piece and union."""
    place = {row: i for i, row in enumerate(union)}
    queries = [i for i, path in enumerate(piece) for _ in path]
    return queries, [place[row] for path in piece for row in path]
