"""Text from elsewhere (names, messages, files), made harmless for terminals, HTML, Markdown, LaTeX and spreadsheets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from html import escape
from typing import Any

# Cc: control characters, ESC among them; Cf: format characters, among them those that turn the reading direction; Cs: lone surrogates,
# which no encoding can write; Zl and Zp: the line breaks of Unicode.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Markdown's marks, the parts of addresses that GitHub turns into links, and the beginnings of headings, lists and rules.
_MARKS = re.compile(r"[\\`*_\[\]#|~$]|(?<=www)\.|:(?=//)|^[-+=]|^\d+[.)]", re.IGNORECASE)


_LATEX = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "-": "{-}",  # else two make a dash
}
_FORMULA = ("=", "+", "-", "@")

SHOWN = 3  # items of a long list in a message


def listed(things: Sequence[Any], limit: int = SHOWN, of: int | None = None) -> str:
    """The first items of a list, and the number of the others: "a, b, c and 4 more".

    Args:
        things: items, the first of the list at least.
        limit: number of items to show.
        of: length of the list; by default `things` are all of it.
    """
    total = len(things) if of is None else of
    return ", ".join(map(str, things[:limit])) + (f" and {total - limit} more" if total > limit else "")


def plain(text: str) -> str:
    r"""The text as one line without effects on a terminal.

    Line breaks and tabs become one space each. Invisible characters (control characters, marks that turn the reading direction or have no
    width, lone surrogates) become their Python escapes: `\x1b`, `\u202e`, `\U000e0001`. All others stay.
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
    """`plain` text for a line or a table's cell of GitHub's Markdown, in which HTML counts too: nothing in it is markup."""
    return html(_MARKS.sub(lambda mark: f"{mark[0][:-1]}\\{mark[0][-1]}", plain(text).strip()))


def latex(text: str) -> str:
    """`plain` text for LaTeX, which shows it and runs nothing in it; characters that fonts may lack stay."""
    return "".join(_LATEX.get(character, character) for character in plain(text))


def cell(text: str) -> str:
    """`plain` text for a cell of CSV: spreadsheets take a text that begins like a formula for one, so that it gets a quotation mark."""
    text = plain(text)
    return f"'{text}" if text.lstrip()[:1] in _FORMULA else text


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _INVISIBLE:
        return character
    return " " if character.isspace() and character not in "\x1c\x1d\x1e\x1f" else character.encode("unicode_escape").decode()
