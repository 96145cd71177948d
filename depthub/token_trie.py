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

Piece = tuple[list[int], list[int]]  # (asking, path): numbers of a path's last rows, which attend to what stands before them in it
MOST_KEYS = 2048  # in a rectangle on a CPU: short sentences then lie beside short ones, and what is gathered stays in the processor's cache


@dataclass(frozen=True)
class Grid:
    """B pieces of attention as a rectangle of S queries and T keys each. No query sees padding; what padding itself sees is not read.

    Args:
        queries: number of each query's row, (B, S).
        keys: row of each key, (B, T), counted from the first constant row.
        mask: what is added to the scores, 0 where a query sees a key and -inf elsewhere, (B, 1, S, T).
    """

    queries: Tensor
    keys: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Attention:
    """What attends to what.

    Args:
        grids: the pieces, in rectangles: one, or on a CPU several of sentences of about a length.
        home: where each row stands among the queries of all grids, one grid's B * S after the other's, (rows,).
    """

    grids: tuple[Grid, ...]
    home: Tensor


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
        return len(self.before.home)


def plant(sentences: Sequence[Sequence[int]], device: torch.device, dtype: torch.dtype) -> Trie:
    """The trie of M sentences.

    Args:
        sentences: from the start token to the end token, a token's id, or -1 - i for the learned token i.
        device: where the trie's tensors are.
        dtype: of its masks.
    """
    before: dict[tuple[int, int], int] = {}  # (row of the token in front, symbol) -> row
    within: dict[tuple[int, int], int] = {}
    begins = [next((i for i, symbol in enumerate(s[:-1]) if symbol < 0), len(s) - 1) for s in sentences]
    stems = [_walk(before, 0, [], s[:begin]) for s, begin in zip(sentences, begins, strict=True)]
    count = len(before)
    grown = [_walk(within, count, stem, s[begin:]) for s, begin, (_, stem) in zip(sentences, begins, stems, strict=True)]
    places: list[int] = []
    for parent, _ in (*before, *within):
        places.append(0 if parent < 0 else places[parent] + 1)
    symbols = torch.tensor([symbol for _, symbol in (*before, *within)], device=device)
    slots = (symbols[count:] < 0).nonzero()[:, 0]
    ends = [path[-1] - count for _, path in grown]
    most = MOST_KEYS if device.type == "cpu" else len(places) * len(grown)
    mask = torch.zeros((), device=device, dtype=dtype)
    return Trie(
        ids=symbols.clamp(min=0),
        places=torch.tensor(places, device=device),
        slots=slots,
        learned=-1 - symbols[count:][slots],
        ends=torch.tensor(ends, device=device),
        before=_attention(_cut(stems), most, mask),
        within=_attention(_cut([([row - count for row in asking], path) for asking, path in grown]), most, mask),
        reading=_attention([([row], path) for row, (_, path) in enumerate(grown)], most, mask),
    )


def _walk(rows: dict[tuple[int, int], int], first: int, path: Sequence[int], symbols: Sequence[int]) -> Piece:
    """The path continued by `symbols`; the rows that are new, counted from `first`, ask, since nobody walked there before."""
    path, asking = list(path), []
    for symbol in symbols:
        step = (path[-1] if path else -1, symbol)
        if step not in rows:
            rows[step] = first + len(rows)
            asking.append(rows[step])
        path.append(rows[step])
    return asking, path


def _cut(pieces: Sequence[Piece]) -> list[Piece]:
    """The same in pieces of at most S queries, S such that all together hold the fewest rows."""
    numbers, longest = [len(asking) for asking, _ in pieces], max(len(path) for _, path in pieces)
    size = min(range(1, max(numbers) + 1), key=lambda s: sum(ceil(n / s) for n in numbers) * (s + longest))
    return [
        (asking[i : i + size], path[: len(path) - len(asking) + i + size]) for asking, path in pieces for i in range(0, len(asking), size)
    ]


def _attention(pieces: Sequence[Piece], most: int, like: Tensor) -> Attention:
    """The pieces in grids of at most `most` keys; masks have the type of `like`, and all is where it is."""
    pieces = sorted(pieces, key=lambda piece: len(piece[1]))
    grids, rows = zip(*(_grid(part, like) for part in _parts(pieces, most)), strict=True)
    asking = torch.cat(rows)
    return Attention(grids, asking.argsort(stable=True)[int((asking < 0).sum()) :].to(like.device))


def _parts(pieces: Sequence[Piece], most: int) -> list[list[Piece]]:
    """Pieces in order of their lengths, in parts whose rectangles have at most `most` keys, or one piece."""
    parts: list[list[Piece]] = [[]]
    for piece in pieces:
        if parts[-1] and (len(parts[-1]) + 1) * len(piece[1]) > most:
            parts.append([])
        parts[-1].append(piece)
    return parts


def _grid(pieces: Sequence[Piece], like: Tensor) -> tuple[Grid, Tensor]:
    """The pieces as a grid, and the number of each query's row, -1 for padding, (B * S,)."""
    size, length = max(len(asking) for asking, _ in pieces), max(len(path) for _, path in pieces)
    rows = torch.tensor([asking + [-1] * (size - len(asking)) for asking, _ in pieces])
    keys = torch.tensor([path + [0] * (length - len(path)) for _, path in pieces])
    first = torch.tensor([len(path) - len(asking) for asking, path in pieces])
    hidden = torch.arange(length) > first[:, None, None] + torch.arange(size)[:, None]
    mask = torch.zeros(hidden.shape, dtype=like.dtype).masked_fill(hidden, float("-inf"))[:, None]
    return Grid(rows.clamp(min=0).to(like.device), keys.to(like.device), mask.to(like.device)), rows.flatten()
