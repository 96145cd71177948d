"""The trie of class sentences: every distinct beginning has one row, which attends to exactly that beginning."""

from __future__ import annotations

from unittest.mock import patch

import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from depthub.encoding import token_trie
from depthub.encoding.token_trie import Attention, Trie, build_trie

START, END = 100, 101
CPU, DTYPE = torch.device("cpu"), torch.float64
EXAMPLES = settings(max_examples=50, deadline=None, derandomize=True, database=None)
SENTENCES = st.lists(st.lists(st.integers(-3, 3), max_size=7).map(lambda inner: [START, *inner, END]), min_size=1, max_size=9)


def paths_of(attention: Attention, symbols: Tensor) -> list[list[int]]:
    """The symbols of each row's keys."""
    pieces = attention.keys.view(len(attention.mask), -1)
    paths = [symbols[piece[row == 0]].tolist() for piece, mask in zip(pieces, attention.mask[:, 0], strict=True) for row in mask]
    assert attention.queries.tolist() == [min(i, attention.count - 1) for i in range(len(paths))]
    return paths[: attention.count]


def symbols(trie: Trie) -> Tensor:
    of_rows = trie.ids.clone()
    of_rows[trie.constant + trie.slots] = -1 - trie.learned
    return of_rows


@EXAMPLES
@given(SENTENCES, st.sampled_from([1, 3, 16, 1000]))
def test_each_row_sees_its_own_beginning(sentences: list[list[int]], queries: int) -> None:
    with patch.object(token_trie, "QUERIES", queries):
        trie = build_trie(sentences, CPU, DTYPE)
    of_rows = symbols(trie)
    before, within = paths_of(trie.before, of_rows), paths_of(trie.within, of_rows)
    for rows, part in ((before, of_rows[: trie.constant]), (within, of_rows[trie.constant :])):
        assert [row[-1] for row in rows] == part.tolist()
        assert len({tuple(row) for row in rows}) == len(rows)
    assert [len(row) - 1 for row in before + within] == trie.places.tolist()
    assert paths_of(trie.reading, of_rows) == sentences
    assert [within[i] for i in trie.ends] == sentences


@EXAMPLES
@given(SENTENCES)
def test_constant_is_what_stands_before_anything_learned(sentences: list[list[int]]) -> None:
    trie = build_trie(sentences, CPU, DTYPE)
    of_rows = symbols(trie)
    assert all(symbol >= 0 for row in paths_of(trie.before, of_rows) for symbol in row)
    # the end token is the feature, hence never constant, even in a sentence without learned tokens
    assert all(min(row) < 0 or row[-1] == END for row in paths_of(trie.within, of_rows))


def test_pieces_hold_little_that_is_not_seen() -> None:
    """Whatever the order of the classes: 200 names, of which 40 each begin alike, behind a context of 16 tokens."""
    names = [[i % 5, 10 + i // 5 % 8, 20 + i // 40] for i in range(200)]
    trie = build_trie([[START, *range(-16, 0), *name, END] for name in names], CPU, DTYPE)
    pieces, _, size, length = trie.within.mask.shape
    rows = 16 + 5 + 5 * 8 + 2 * 5 * 8 * 5
    assert trie.within.count == rows
    assert pieces == -(-rows // token_trie.QUERIES)
    assert size <= token_trie.QUERIES
    assert length <= 17 + 3 + size  # the common beginning, that of the first name, and the rows themselves


def test_the_example_of_the_module() -> None:
    """Its rows, their paths and the mask of its piece, with symbols in the order of the drawing."""
    of, a, car, dot, park, cat, end = range(10, 17)
    begin = [START, -1, -2, of, a]
    trie = build_trie([[*begin, car, dot, end], [*begin, car, park, dot, end], [*begin, cat, dot, end]], CPU, DTYPE)
    assert (trie.constant, trie.within.count) == (1, 13)
    assert symbols(trie).tolist() == [*begin, car, dot, end, park, dot, end, cat, dot, end]
    assert trie.ends.tolist() == [6, 9, 12]
    rows = torch.arange(-1, 13)  # the constant row is the start
    assert paths_of(trie.within, rows)[5:10] == [[-1, *range(4), 4, *more] for more in ([5], [5, 6], [7], [7, 8], [7, 8, 9])]
