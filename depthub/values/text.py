"""Text of others on its way to a terminal or a file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from html import escape
from typing import Any

# Cc: control characters, with ESC; Cf: format characters, with the ones that turn the reading direction; Cs: lone surrogates, which no
# encoding can write; Zl and Zp: the line breaks of Unicode.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# What Markdown acts on: its marks, addresses that GitHub turns into links, and what begins a heading, a list or a rule at a line's start.
_MARKS = re.compile(r"[\\`*_\[\]#|~$]|(?<=www)\.|:(?=//)|^[-+=]|^\d+[.)]", re.IGNORECASE)


SHOWN = 3  # of many things, in a message


def listed(things: Sequence[Any], limit: int = SHOWN, of: int | None = None) -> str:
    """The first `limit` of the things, and how many more there are; `of` is their number where not all of them are given."""
    total = len(things) if of is None else of
    return ", ".join(map(str, things[:limit])) + (f" and {total - limit} more" if total > limit else "")


def plain(text: str) -> str:
    r"""The text as one line that a terminal shows and does not obey.

    Line breaks and tabs become one space each. What is not seen but acts (control characters, marks that turn the reading direction or
    have no width, lone surrogates) becomes its Python escape: `\x1b`, `\u202e`, `\U000e0001`. All else stays as it is.
    """
    return "".join(_shown(character) for character in text.replace("\r\n", "\n"))


def short(text: str, limit: int = 60) -> str:
    """The text, without its middle if it has more than `limit` characters, at least 3."""
    end = (limit - 3) // 3
    return text if len(text) <= limit else f"{text[: limit - end - 3]} … {text[len(text) - end :]}"


def html(text: str) -> str:
    """`plain` text for HTML, between tags or within a quoted attribute."""
    return escape(plain(text))


def markdown(text: str) -> str:
    """`plain` text for a line or a table's cell of (GitHub's) Markdown, which may hold HTML: nothing in it is markup."""
    return html(_MARKS.sub(lambda mark: f"{mark[0][:-1]}\\{mark[0][-1]}", plain(text).strip()))


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    return " " if character.isspace() and character not in "\x1c\x1d\x1e\x1f" else character.encode("unicode_escape").decode()
