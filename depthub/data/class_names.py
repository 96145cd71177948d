"""Whether the class names of a user's own pictures make sense in a sentence."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable

from depthub.errors import DepthubError


def words(name: str) -> str:
    """A class name as the text encoder reads it: underscores are blanks; case, repeated blanks, HTML's spellings of signs and characters
    that are not seen make no difference.
    """
    plain = html.unescape(html.unescape(name.replace("_", " ")))
    seen = "".join(character for character in unicodedata.normalize("NFC", plain) if unicodedata.category(character) != "Cf")
    return " ".join(seen.lower().split())


def require_distinct(names: Iterable[str], where: str) -> None:
    """Refuse class names without words, and names that are the same words: their classes could not be told apart.

    Args:
        names: of the classes, each once.
        where: what holds them, for the message.

    Raises:
        DepthubError: naming the first of them.
    """
    first: dict[str, str] = {}
    for name in names:
        said = words(name)
        if not said:
            raise DepthubError(f"{where}: class name {name!r} has no words; give the class a name that says what it shows")
        if said in first:
            raise DepthubError(f"{where}: classes {first[said]!r} and {name!r} are the same words, {said!r}; rename or merge one of them")
        first[said] = name
