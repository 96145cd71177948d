"""Canonical JSON (RFC 8785): equal values have equal bytes, so that a digest identifies a value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import rfc8785

EXACT = 2**53  # integers from here on are not exact in JSON
_WORDS: Mapping[type, Mapping[Any, str]] = {bool: {False: "false", True: "true"}, type(None): {None: "null"}}
_encode = json.JSONEncoder(separators=(",", ":")).encode
_quoted = json.encoder.encode_basestring


def canonical(value: Any, texts: Mapping[int, str] = {}) -> bytes:
    """The bytes of `rfc8785.dumps`, in a quarter of its time for values that are mostly long lists of texts or integers.

    `{"b": 1.0, "a": [1e-7]}` gives `{"a":[1e-7],"b":1}`.

    Args:
        value: of JSON.
        texts: canonical texts of objects within it that stay as they are, by `id`.

    Raises:
        ValueError: for values that JSON cannot hold.
    """
    return _canonical(value, texts).encode()


def text(value: Any) -> str:
    """As `canonical`, before it is encoded."""
    return _canonical(value, {})


def _canonical(value: Any, texts: Mapping[int, str]) -> str:
    kind = type(value)
    if kind is str:
        return _quoted(value)  # Python's own encoder writes texts and integers as the standard does
    if kind in _WORDS:
        return _WORDS[kind][value]
    if kind is int and abs(value) < EXACT:
        return str(value)
    if kind is float:
        return _number(value)
    if (kind is dict or isinstance(value, Mapping)) and {*map(type, value)} <= {str}:
        return f"{{{','.join(f'{_quoted(key)}:{texts.get(id(value[key])) or _canonical(value[key], texts)}' for key in _sorted(value))}}}"
    if kind in (list, tuple):
        kinds = {*map(type, value)}
        if kinds == {str}:
            return f"[{','.join(map(_quoted, value))}]"
        if kinds == {int} and min(value) > -EXACT and max(value) < EXACT:
            return f"[{','.join(map(str, value))}]"
        if kinds == {list} and {type(inner) for row in value for inner in row} == {int}:  # counts by class
            return _encode(value) if _exact(value) else rfc8785.dumps(value).decode()
        return f"[{','.join(texts.get(id(inner)) or _canonical(inner, texts) for inner in value)}]"
    return rfc8785.dumps(value).decode()  # which refuses it, or knows better


def _exact(rows: Iterable[Iterable[int]]) -> bool:
    return all(-EXACT < inner < EXACT for row in rows for inner in row)


def _sorted(keys: Iterable[str]) -> list[str]:
    """In the order of their UTF-16 code units, which for ASCII is that of their characters."""
    keys = list(keys)
    return sorted(keys) if "".join(keys).isascii() else sorted(keys, key=lambda key: key.encode("utf-16-be", "surrogatepass"))


@lru_cache(maxsize=4096)  # the same few rates and weights come again and again
def _number(value: float) -> str:
    return rfc8785.dumps(value).decode()
