"""JSON Schema (draft 2020-12) of the documents that depthub writes, and the check against it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NoReturn

import jsonschema_rs

from depthub.errors import DepthubError
from depthub.records.faults import Fault

Kind = Literal["run", "leaderboard", "packed", "top1", "definition", "submission", "verification", "class_texts", "costs"]
VERSION = "1.1.0"
LARGEST = 64 * 2**20  # bytes of a document
EXACT = 2**53  # integers from here on are not exact in every reader of JSON
_CONTAINERS = (dict, list)
_LONG = re.compile(r"[\s,:\[]-?\d{16}")
DEEPEST = 64  # lists and objects within one another; a run's has half a dozen


@cache
def load(kind: Kind) -> dict[str, Any]:
    """The schema of a kind of document."""
    schema: dict[str, Any] = json.loads((files(__name__) / f"{kind}.schema.json").read_text(encoding="utf-8"))
    return schema


def header(kind: Kind) -> dict[str, str]:
    """The first keys of a document."""
    return {"$schema": load(kind)["$id"], "kind": kind, "schema_version": VERSION}


def validate(document: Any, kind: Kind, source: str) -> None:
    """Check a document's form.

    Args:
        document: a value of JSON.
        kind: the expected kind.
        source: the file's name, for the message.

    Raises:
        DepthubError: with the place and the reason, in one line.
    """
    for fault in faults(document, kind):
        raise DepthubError(f"{source}: {fault.reason}")


def faults(document: Any, kind: Kind) -> Iterator[Fault]:
    """Every fault of a document's form.

    Args:
        document: a value of JSON.
        kind: the expected kind.
    """
    present = document.get("kind") if isinstance(document, Mapping) else None
    if present != kind:
        yield Fault("kind", f"not a {kind} document (kind is {_short(repr(present))})")
        return
    try:
        for error in _validator(kind).iter_errors(_without_whole_floats(document)):
            yield Fault(_place(error), sentence(error))
    except (ValueError, TypeError) as unfit:  # objects that JSON does not have
        yield Fault("", _short(str(unfit)))


def parse(content: str | bytes, source: str) -> Any:
    """The value of JSON in UTF-8 that every reader understands alike: no key twice, no NaN or infinity, no integer that is not exact, at
    most `DEEPEST` levels.

    Raises:
        DepthubError: for any other content.
    """
    if len(content) > LARGEST:
        raise DepthubError(f"{source}: {len(content)} bytes, expected at most {LARGEST}: this is not a document of depthub")
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        long = _LONG.search(text)  # only then can an integer be inexact, and asking for each takes longer than all the rest
        document = json.loads(
            text, parse_constant=_refuse, parse_float=_finite, parse_int=_exact if long else None, object_pairs_hook=_distinct
        )
        _require_shallow(document)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode()  # lone surrogates, which UTF-8 itself cannot hold
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else _short(str(error))
        raise DepthubError(f"{source}: not JSON ({reason}); the file is damaged") from error
    return document


def _require_shallow(document: Any) -> None:
    """Refuse, level by level, a document so deep that functions which call themselves would exhaust the stack."""
    level = [document] if type(document) in _CONTAINERS else []
    for _ in range(DEEPEST):
        level = [inner for value in level for inner in (value.values() if type(value) is dict else value) if type(inner) in _CONTAINERS]
        if not level:
            return
    raise RecursionError


@cache
def _validator(kind: Kind) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(load(kind))


def _without_whole_floats(value: Any) -> Any:
    """The value with 5.0 a little less than 5: JSON Schema takes 5.0 for an integer, a count is written as one."""
    kind = type(value)
    if kind in (str, int):
        return value
    if isinstance(value, float):
        return (math.nextafter(value, 0.0) if value else math.ulp(0.0)) if value.is_integer() else value
    if kind is dict or isinstance(value, Mapping):
        return {key: _without_whole_floats(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        kinds = {*map(type, value)}
        if kinds <= {int, str} or (kinds == {list} and {type(inner) for row in value for inner in row} <= {int, str}):
            return value  # long lists without floats stay as they are
        return [_without_whole_floats(inner) for inner in value]
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value


def _exact(text: str) -> int:
    if len(text) > 17 or abs(int(text)) >= EXACT:
        raise ValueError(f"{text[:20]} is too large an integer")
    return int(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return fields


def sentence(error: jsonschema_rs.ValidationError) -> str:
    """An error of validation in words, with its place: `rows[0].label: ...`."""
    place = _place(error)
    return f"{place + ': ' if place else ''}{_short(error.message)}"


def _place(error: jsonschema_rs.ValidationError) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path).removeprefix(".")


def _short(message: str, limit: int = 140) -> str:
    line = " ".join(message.split())
    return line if len(line) <= limit else f"{line[: limit // 2]} ... {line[-limit // 2 :]}"
