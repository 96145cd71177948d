"""Type annotations of settings: whether a value fits, and what to call them in a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

EXACT = 2**53  # integers from here on are not exact in JSON
# what JSON has for a type; other classes have to be met by their own instances
ACCEPTED: Mapping[Any, tuple[type, ...]] = {float: (int, float), Path: (str,), tuple: (list,)}


def setting_types(cls: type) -> dict[str, Any]:
    """The types of a constructor's arguments by name; empty for a plugin that names what it imports for type checkers only."""
    try:
        return get_type_hints(cls.__init__)  # type: ignore[misc]
    except NameError:
        return {}


def fits(value: Any, expected: Any) -> bool:
    """Whether an annotation leaves room for a value as JSON has it; what it does not plainly exclude is the constructor's to judge.

    Args:
        value: sequences are lists, mappings are dictionaries, heads are not asked for.
        expected: the annotation, evaluated.
    """
    origin, inner = get_origin(expected), get_args(expected)
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in inner)
    if origin in (Union, UnionType):
        return any(fits(value, choice) for choice in inner)
    if origin in (list, tuple, Sequence, dict, Mapping):
        return _holds(value, origin, inner)
    return value is None if expected in (None, type(None)) else _is(value, expected)


def _holds(value: Any, origin: Any, inner: tuple[Any, ...]) -> bool:
    if origin in (dict, Mapping):
        return isinstance(value, Mapping) and all(fits(item, inner[-1]) for item in value.values())
    return isinstance(value, list) and all(fits(item, inner[0] if inner else Any) for item in value)


def _is(value: Any, expected: Any) -> bool:
    if (isinstance(value, float) and not isfinite(value)) or (isinstance(value, bool) and expected in (int, float)):
        return False
    if isinstance(value, int) and abs(value) >= EXACT:
        return False
    accepted = ACCEPTED.get(expected, (expected,) if isinstance(expected, type) and expected is not Any else (object,))
    return isinstance(value, accepted)


def in_words(expected: Any) -> str:
    """An annotation as a message calls it."""
    origin, inner = get_origin(expected), get_args(expected)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in (Union, UnionType):
        return " or ".join(map(in_words, inner))
    if origin in (list, tuple, Sequence):
        return f"a list of {'texts' if inner[:1] == (str,) else in_words(inner[0]) if inner else 'values'}"
    return "nothing" if expected is type(None) else "a finite float" if expected is float else str(getattr(expected, "__name__", expected))
