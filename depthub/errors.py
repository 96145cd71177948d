"""Errors that a user can act on; the command line shows them as one line, without a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class DepthubError(Exception):
    """The user's mistake: its message names the given value, the expected one and the remedy."""


class DivergedError(DepthubError):
    """A training whose loss or parameters are no longer finite.

    Args:
        message: the finding and the remedy.
        epoch: in which it happened, from 1.
    """

    def __init__(self, message: str, epoch: int = 0) -> None:
        super().__init__(message)
        self.epoch = epoch


class NotInPredictionsError(DepthubError):
    """A quantity that stored predictions do not give, such as a probability of a packed run, which has no scores."""


class UnknownNameError(DepthubError):
    """A name that nothing has.

    Args:
        kind: of the thing with the name, for example "method".
        name: the unknown name.
        names: the names that exist.
        note: another possible reason, as it ends the message.
    """

    def __init__(self, kind: str, name: str, names: Iterable[str], note: str = "") -> None:
        super().__init__(f"unknown {kind} {name!r}{hint(name, names)}{note}")


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'CoOp'?` for the nearest of `names`; empty if none is near."""
    folded = {existing.lower(): existing for existing in names}
    near = get_close_matches(name.lower(), folded, n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def hint(name: str, names: Iterable[str], limit: int = 12) -> str:
    """`nearest`, and the names that exist, at most `limit` of them: `; did you mean 'CoOp'? known: CoCoOp, CoOp`."""
    existing = sorted(names)
    guess = nearest(name, existing) or ";"
    shown = ", ".join(existing[:limit]) + (f" and {len(existing) - limit} more" if len(existing) > limit else "")
    return f"{guess} known: {shown}" if existing else f"{guess} none is installed"
