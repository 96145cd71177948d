"""Names of others as one line that a terminal shows and does not obey."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings, strategies as st

from depthub.values.text import plain


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("été 日本 🙂 a\\b |<b>", "été 日本 🙂 a\\b |<b>"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b31m \x07 \x00 \x7f", r"\x9b31m \x07 \x00 \x7f"),
        ("one\ntwo\r\nthree\rfour\u2028five\u2029six\x85seven\x0beight\x0cnine\tten", "one two three four five six seven eight nine ten"),
        ("user\u202egnp.exe \u2066\u200b\ufeff", r"user\u202egnp.exe \u2066\u200b\ufeff"),
        ("\udcff \ud800 \U000e0041", r"\udcff \ud800 \U000e0041"),
    ],
)
def test_what_acts_is_shown_as_its_escape(text: str, line: str) -> None:
    assert plain(text) == line


@settings(deadline=None, derandomize=True, database=None)
@given(st.text(st.characters(), max_size=30))
def test_every_text_becomes_one_line_for_any_terminal(text: str) -> None:
    line = plain(text)
    line.encode()
    assert {unicodedata.category(character) for character in line}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    assert plain(line) == line
