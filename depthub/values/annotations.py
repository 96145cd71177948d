"""Type annotations of settings: whether a value fits one, and its name in a message."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from depthub.values.canonical import EXACT

# types of JSON values for a type; values of other classes must be their instances
ACCEPTED: Mapping[Any, tuple[type, ...]] = {float: (int, float), Path: (str,), tuple: (list,)}


@cache  # evaluating annotations takes longer than everything else that is done with the settings of a run
def setting_types(cls: type) -> Mapping[str, Any]:
    """The types of a constructor's arguments by name; empty if one of them is imported for type checkers only."""
    try:
        return MappingProxyType(get_type_hints(cls.__init__))  # type: ignore[misc]
    except NameError:
        return MappingProxyType({})


def setting_defaults(cls: type) -> dict[str, Any]:
    """The settings of a component, which are its constructor's keywords, with their defaults."""
    return {p.name: p.default for p in inspect.signature(cls).parameters.values() if p.kind is p.KEYWORD_ONLY}


def fits(value: Any, expected: Any) -> bool:
    """Whether a value of JSON fits an annotation. In doubt it does: the constructor decides.

    Args:
        value: with lists for sequences and dictionaries for mappings; not a head.
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
    """An annotation in words, for messages: "a list of texts or nothing" for `Sequence[str] | None`."""
    origin, inner = get_origin(expected), get_args(expected)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in (Union, UnionType):
        return " or ".join(map(in_words, inner))
    if origin in (list, tuple, Sequence):
        return f"a list of {'texts' if inner[:1] == (str,) else in_words(inner[0]) if inner else 'values'}"
    return "nothing" if expected is type(None) else "a finite float" if expected is float else str(getattr(expected, "__name__", expected))
