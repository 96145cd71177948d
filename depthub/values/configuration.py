"""What users write in configuration files and as values: YAML with plain data only, every key once, numbers as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from depthub.errors import DepthubError
from depthub.values.canonical import EXACT

LARGEST, DEEPEST, MOST = 2**20, 40, 10_000  # bytes of a file, levels of nesting, values: beyond all that options can need
INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)$")
DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$")
TAG = "tag:yaml.org,2002:"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Integers are decimal, 1e-3 is a number, dates are text; YAML 1.1 alone would read 010 as 8, 1:30 as 90 and 1e-3 as text."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are words, each there once."""
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag not in (f"{TAG}str", f"{TAG}merge"):
                raise yaml.constructor.ConstructorError(None, None, "a key is not a word; put it in quotes if it is one", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} stands there twice", key.start_mark)
            seen.add(key.value)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Puts text in quotes that would be read as a number."""


def _resolve_numbers() -> None:
    drop = {f"{TAG}{kind}" for kind in ("int", "float", "timestamp")}
    resolvers = _Loader.yaml_implicit_resolvers
    _Loader.yaml_implicit_resolvers = {first: [rule for rule in rules if rule[0] not in drop] for first, rules in resolvers.items()}
    _Loader.add_implicit_resolver(f"{TAG}int", INTEGER, list("-+0123456789"))
    for reader in (_Loader, _Dumper):
        reader.add_implicit_resolver(f"{TAG}float", DECIMAL, list("-+.0123456789"))


_resolve_numbers()


def load(text: str) -> Any:
    """What YAML text says.

    Raises:
        yaml.YAMLError: if it is no YAML, nested deeper than anything sensible, or says a key twice.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):  # reads without recursion, unlike what follows
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.YAMLError(f"nested more than {DEEPEST} levels deep")
    try:
        return yaml.load(text, Loader=_Loader)
    except ValueError as error:  # an integer of thousands of digits
        raise yaml.YAMLError(str(error)) from error


def dump(value: Any) -> str:
    """The value as YAML that `load` reads back."""
    made: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False)
    return made


def parsed(text: str, source: str) -> Any:
    """What YAML text says, all of it fit for a run.

    Args:
        text: of a file or an option.
        source: what a message calls it.

    Raises:
        DepthubError: if it is no YAML, or says what no run can hold.
    """
    try:
        content = load(text)
    except yaml.YAMLError as error:
        raise DepthubError(f"{source} is not valid YAML: {_problem(error)}") from error
    for count, (key, value) in enumerate(values(content)):
        if count >= MOST:
            raise DepthubError(f"{source} holds more than {MOST} values, expected options")
        if reason := unfit(value):
            raise DepthubError(f"{source}: {key or 'its content'} {reason}")
    return content


def read(path: Path, option: str) -> Any:
    """What a file says, all of it fit for a run.

    Args:
        path: of the file.
        option: that named it.

    Raises:
        DepthubError: if the file cannot be read, is no text in UTF-8, or as `parsed` says.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise DepthubError(f"{option}: cannot read {short(str(path))}: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > LARGEST:
        raise DepthubError(f"{option}: {path} is larger than {LARGEST // 2**20} MiB, expected a file of options")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DepthubError(f"{option}: {path} is not text in UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    return parsed(text, f"{option}: {path}")


def values(content: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every value within a value, itself first, with its key: `training.lr`, `seeds[0]`.

    Raises:
        DepthubError: if it is nested too deep, for example in itself.
    """
    if depth > DEEPEST:
        raise DepthubError(f"{key[:40]}... is nested more than {DEEPEST} levels deep, or within itself")
    yield key, content
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from values(value, f"{key}.{name}" if key else str(name), depth + 1)
    elif isinstance(content, list | tuple):
        for index, value in enumerate(content):
            yield from values(value, f"{key}[{index}]", depth + 1)


def unfit(value: Any) -> str:
    """Why a run cannot hold the value; empty if it can."""
    if isinstance(value, float) and not isfinite(value):
        return f"is {value}, expected a finite number"
    if isinstance(value, int) and abs(value) >= EXACT:
        return f"is {value}, expected an integer of less than 2**53"
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        return f"is {brief(value)}, which is not valid Unicode"
    plain = value is None or isinstance(value, bool | int | float | str | list | tuple | Mapping | Path)
    return "" if plain else f"is a {type(value).__name__}, expected text, a number, true, false, null, a list or a mapping"


def brief(value: Any) -> str:
    """The value as Python writes it, shortened."""
    return short(repr(value))


def short(text: str, longest: int = 160) -> str:
    """The text, shortened for a message."""
    return text if len(text) <= longest else f"{text[:longest]}..."


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    said = " ".join(str(getattr(error, "problem", None) or error).split())
    return f"{said} (line {mark.line + 1}, column {mark.column + 1})" if mark else said
