"""The errors a user can act on; the command line shows them as one line, without a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class DepthubError(Exception):
    """The user's mistake: the message says what was given, what was expected and what to do."""


class UnknownNameError(DepthubError):
    """A name that nothing provides.

    Args:
        kind: what was looked for, for example "method".
        given: the name as given.
        known: the names that exist.
        note: what else could explain it.
    """

    def __init__(self, kind: str, given: str, known: Iterable[str], note: str = "") -> None:
        super().__init__(f"unknown {kind} {given!r}{hint(given, known)}{note}")


def nearest(given: str, known: Iterable[str]) -> str:
    """`; did you mean 'CoOp'?` for the nearest of `known`; empty if none is near."""
    folded = {name.lower(): name for name in known}
    near = get_close_matches(given.lower(), folded, n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def hint(given: str, known: Iterable[str], limit: int = 12) -> str:
    """What `nearest` says, followed by what there is (at most `limit` names)."""
    names = sorted(known)
    guess = nearest(given, names) or ";"
    shown = ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
    return f"{guess} known: {shown}" if names else f"{guess} none is installed"
