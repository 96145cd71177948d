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


def seen(attention: Attention, keys: Tensor) -> list[list[int]]:
    """For each row, what its keys are."""
    pieces = attention.keys.view(len(attention.mask), -1)
    found = [keys[piece[row == 0]].tolist() for piece, mask in zip(pieces, attention.mask[:, 0], strict=True) for row in mask]
    assert attention.queries.tolist() == [min(i, attention.count - 1) for i in range(len(found))]
    return found[: attention.count]


def symbols(trie: Trie) -> Tensor:
    own = trie.ids.clone()
    own[trie.constant + trie.slots] = -1 - trie.learned
    return own


@EXAMPLES
@given(SENTENCES, st.sampled_from([1, 3, 16, 1000]))
def test_each_row_sees_its_own_beginning(sentences: list[list[int]], asking: int) -> None:
    with patch.object(token_trie, "ASKING", asking):
        trie = build_trie(sentences, CPU, DTYPE)
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
    trie = build_trie(sentences, CPU, DTYPE)
    own = symbols(trie)
    assert all(symbol >= 0 for row in seen(trie.before, own) for symbol in row)
    # the end token is read, hence never among the constants, even in a sentence with nothing learned
    assert all(min(row) < 0 or row[-1] == END for row in seen(trie.within, own))


def test_pieces_hold_little_that_is_not_seen() -> None:
    """Whatever the order of the classes: 200 names, of which 40 each begin alike, behind a context of 16 tokens."""
    names = [[i % 5, 10 + i // 5 % 8, 20 + i // 40] for i in range(200)]
    trie = build_trie([[START, *range(-16, 0), *name, END] for name in names], CPU, DTYPE)
    pieces, _, size, length = trie.within.mask.shape
    rows = 16 + 5 + 5 * 8 + 2 * 5 * 8 * 5
    assert trie.within.count == rows
    assert pieces == -(-rows // token_trie.ASKING)
    assert size <= token_trie.ASKING
    assert length <= 17 + 3 + size  # the beginning that all share, the one of the first name, and those that ask
