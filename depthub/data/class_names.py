"""Class names as words of a sentence: the words of a name, and names that are equal in words."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable

from depthub.errors import DepthubError


def words(name: str) -> str:
    """A class name as the text encoder reads it: `"Polka_dot &amp; stripe"` becomes `"polka dot & stripe"`.

    Underscores are blanks. Case, repeated blanks, HTML escapes and invisible characters make no difference.
    """
    plain = html.unescape(html.unescape(name.replace("_", " ")))  # twice: some lists hold "&amp;amp;"
    visible = "".join(character for character in unicodedata.normalize("NFC", plain) if unicodedata.category(character) != "Cf")
    return " ".join(visible.lower().split())


def require_distinct(names: Iterable[str], where: str) -> None:
    """Refuse class names without words, and names with the same words: nothing distinguishes their classes.

    Args:
        names: class names, each once.
        where: the data set or file, for the message.

    Raises:
        DepthubError: naming the first of them.
    """
    first: dict[str, str] = {}  # words to the first name with them
    for name in names:
        text = words(name)
        if not text:
            raise DepthubError(f"{where}: class name {name!r} has no words; give the class a name that says what it shows")
        if text in first:
            raise DepthubError(f"{where}: classes {first[text]!r} and {name!r} are the same words, {text!r}; rename or merge one of them")
        first[text] = name
