"""The trie of class sentences: every distinct beginning has one row, which attends to exactly that beginning."""

from __future__ import annotations

from unittest.mock import patch

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from depthub import token_trie
from depthub.token_trie import Attention, Trie, plant

START, END = 100, 101
CPU, DTYPE = torch.device("cpu"), torch.float64
EXAMPLES = settings(max_examples=50, deadline=None, derandomize=True, database=None)
SENTENCES = st.lists(st.lists(st.integers(-3, 3), max_size=7).map(lambda inner: [START, *inner, END]), min_size=1, max_size=9)


def seen(attention: Attention, keys: Tensor) -> list[list[int]]:
    """For each row, what its keys are."""
    found = []
    for grid in attention.grids:
        for piece, mask in zip(keys[grid.keys], grid.mask[:, 0], strict=True):
            found += [piece[row == 0].tolist() for row in mask]
    return [found[i] for i in attention.home]


def symbols(trie: Trie) -> Tensor:
    own = trie.ids.clone()
    own[trie.constant + trie.slots] = -1 - trie.learned
    return own


@EXAMPLES
@given(SENTENCES, st.sampled_from([1, 10, 10**9]))
def test_each_row_sees_its_own_beginning(sentences: list[list[int]], most: int) -> None:
    with patch.object(token_trie, "MOST_KEYS", most):
        trie = plant(sentences, CPU, DTYPE)
    own = symbols(trie)
    before, within = seen(trie.before, own), seen(trie.within, own)
    for rows, part in ((before, own[: trie.constant]), (within, own[trie.constant :])):
        assert [row[-1] for row in rows] == part.tolist()
        assert len({tuple(row) for row in rows}) == len(rows)
    assert [len(row) - 1 for row in before + within] == trie.places.tolist()
    assert seen(trie.reading, own) == sentences
    assert [within[i] for i in trie.ends] == sentences


@EXAMPLES
@given(SENTENCES)
def test_constant_is_what_stands_before_anything_learned(sentences: list[list[int]]) -> None:
    trie = plant(sentences, CPU, DTYPE)
    own = symbols(trie)
    assert all(symbol >= 0 for row in seen(trie.before, own) for symbol in row)
    # the end token is read, hence never among the constants, even in a sentence with nothing learned
    assert all(min(row) < 0 or row[-1] == END for row in seen(trie.within, own))


def test_rectangles_on_a_cpu_are_bounded() -> None:
    sentences = [[START, -1, *range(10 + i, 10 + i + i % 7), END] for i in range(1000)]
    trie = plant(sentences, CPU, DTYPE)
    assert all(grid.keys.numel() <= token_trie.MOST_KEYS for part in (trie.within, trie.reading) for grid in part.grids)
    assert 1 < len(trie.within.grids) < 10
