"""JSON Schema (draft 2020-12) of the documents that depthub writes, and the check against it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from depthub.errors import DepthubError

Kind = Literal["run", "leaderboard"]
VERSION = "1.0.0"


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
        document: what JSON gave.
        kind: what it must be.
        source: the file's name, for the message.

    Raises:
        DepthubError: with the place and the reason, in one line.
    """
    found = document.get("kind") if isinstance(document, Mapping) else None
    if found != kind:
        raise DepthubError(f"{source}: not a {kind} document (kind is {found!r})")
    error = best_match(_validator(kind).iter_errors(document))
    if error is not None:
        raise DepthubError(f"{source}: {_sentence(error)}")


def parse(text: str | bytes, source: str) -> Any:
    """JSON without NaN and infinities, which JSON does not have.

    Raises:
        DepthubError: if it is not JSON.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError as error:  # also bytes that are not UTF-8
        raise DepthubError(f"{source}: not JSON ({_short(str(error))}); the file is damaged") from error


@cache
def _validator(kind: Kind) -> Draft202012Validator:
    return Draft202012Validator(load(kind))


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _sentence(error: ValidationError) -> str:
    return f"{error.json_path.removeprefix('$.')}: {_short(error.message)}"


def _short(message: str, limit: int = 140) -> str:
    line = " ".join(message.split())
    return line if len(line) <= limit else f"{line[: limit // 2]} ... {line[-limit // 2 :]}"
