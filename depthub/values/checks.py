"""Checks of plain values: a wrong value is refused in one line."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from depthub.errors import DepthubError, nearest
from depthub.values.canonical import EXACT


def whole(name: str, value: Any, least: int) -> None:
    """Refuse a value that is not an integer from `least` up to 2**53.

    Raises:
        DepthubError: with the name and the value.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise DepthubError(f"{name} is {value!r}, expected an integer")
    if value < least:
        raise DepthubError(f"{name} is {value}, expected at least {least}")
    if value >= EXACT:
        raise DepthubError(f"{name} is {value}, expected less than 2**53")


def number(name: str, value: Any, least: float, below: float) -> None:
    """Refuse a value that is not a finite number in [least, below).

    Raises:
        DepthubError: with the name and the value.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < below:
        bound = f" and below {below:g}" if isfinite(below) else ""
        raise DepthubError(f"{name} is {value!r}, expected a finite number of at least {least:g}{bound}")


def choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse a value that is not one of `choices`.

    Raises:
        DepthubError: with the name, the value and the nearest choice.
    """
    if value not in choices:
        raise DepthubError(f"{name} is {value!r}, expected one of {', '.join(choices)}{nearest(str(value), choices)}")


def text(name: str, value: Any) -> None:
    """Refuse a value that is not text, or not valid Unicode.

    Raises:
        DepthubError: with the name and the value.
    """
    if not isinstance(value, str):
        raise DepthubError(f"{name} is {value!r}, expected text")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise DepthubError(f"{name} is {value!r}, which is not valid Unicode")
