"""Suites and boards from YAML: those that come with depthub, and users' own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import jsonschema_rs

from depthub.errors import DepthubError, hint
from depthub.records.schema import sentence
from depthub.registry.plugins import Plugins, installed
from depthub.spec import BackboneSpec, Component, RunSpec, Training
from depthub.suites import grid
from depthub.suites.board import CUT, Board
from depthub.suites.suite import Row, Suite
from depthub.values import configuration
from depthub.values.annotations import setting_defaults

Kind = Literal["suite", "board"]
SUFFIXES = (".yaml", ".yml")


def read_suite(name: str, board: str = "") -> Suite:
    """A suite by its name or from a file.

    Args:
        name: of a suite that comes with depthub, or the path of a YAML file.
        board: another board for its rows: a name or a path; empty: its own.

    Raises:
        DepthubError: with file and place, in one line.
    """
    values, source = _content(name, "suite")
    plugins = installed()
    return _suite(values, source, _stem(name), read_board(board) if board else None, plugins)


def board_of(name: str) -> Board:
    """The board that a suite states, without its changes of it; arguments and errors as `read_suite`."""
    values, source = _content(name, "suite")
    return _stated_board(values, source, _stem(name), installed())


def read_board(name: str) -> Board:
    """A board by its name or from a file; arguments and errors as `read_suite`."""
    values, source = _content(name, "board")
    return _board(values, source, _stem(name), installed())


def shipped(kind: Literal["suites", "boards"]) -> dict[str, str]:
    """Titles of what comes with depthub, by name."""
    folder = files(__package__) / "shipped" / kind
    paths = sorted((path for path in folder.iterdir() if path.name.endswith(SUFFIXES)), key=lambda path: path.name)
    return {Path(path.name).stem: str(configuration.load(path.read_text(encoding="utf-8")).get("title", "")) for path in paths}


@cache
def schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of suites or boards, for editors too."""
    text = (files(__package__) / "schema" / f"{kind}.schema.json").read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value


def _content(name: str, kind: Kind) -> tuple[dict[str, Any], str]:
    """What a file says, and what messages call it."""
    if name.endswith(SUFFIXES):
        source = name
        values = configuration.read(Path(name), kind)
    else:
        names = shipped("suites" if kind == "suite" else "boards")
        if name not in names:
            more = f"; {name!r} is a board: name a suite, and --board {name}" if kind == "suite" and name in shipped("boards") else ""
            raise DepthubError(f"unknown {kind} {name!r}{more or hint(name, names)}; or give the path of a .yaml file")
        source = f"{kind} {name}"
        text = (files(__package__) / "shipped" / f"{kind}s" / f"{name}.yaml").read_text(encoding="utf-8")
        values = configuration.parsed(text, source)
    _validate(values, kind, source)
    return values, source


@cache
def _validator(kind: Kind) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema(kind))


def _validate(values: Any, kind: Kind, source: str) -> None:
    """Check the form of a file.

    Raises:
        DepthubError: with the place; for an unknown key with the nearest.
    """
    if not isinstance(values, Mapping):
        raise DepthubError(f"{source}: expected a mapping with the keys of a {kind}")
    if unknown := [key for key in values if key not in schema(kind)["properties"]]:
        raise DepthubError(f"{source}: unknown key {unknown[0]!r}{hint(unknown[0], schema(kind)['properties'])}")
    error = next(_validator(kind).iter_errors(values), None)
    if error is not None:
        raise DepthubError(f"{source}: {sentence(error)}")


def _suite(values: Mapping[str, Any], source: str, stem: str, board: Board | None, plugins: Plugins) -> Suite:
    board = _changed(board or _stated_board(values, source, stem, plugins), values.get("changes", {}), f"{source}: changes", plugins)
    rows = [row for i, entry in enumerate(values["rows"]) for row in _rows(entry, f"{source}: rows[{i}]", plugins)]
    return Suite(
        values.get("name", stem),
        board,
        rows,
        plugins,
        tuple(values.get("exclude", ())),
        values.get("controls", False),
        values.get("title", ""),
        values.get("notes", ""),
    )


def _stated_board(values: Mapping[str, Any], source: str, stem: str, plugins: Plugins) -> Board:
    stated = values["board"]
    if not isinstance(stated, Mapping):
        return read_board(stated)
    _validate(stated, "board", f"{source}: board")
    return _board(stated, f"{source}: board", stem, plugins)


def _changed(board: Board, changes: Mapping[str, Any], place: str, plugins: Plugins) -> Board:
    """The board as a suite needs it, whichever board that is."""
    if "protocol" not in changes:
        return _with_cuts(board, changes, place, plugins)
    several = grid.components(changes["protocol"], "protocols", plugins, f"{place}: protocol")
    if len(several) > 1:
        raise DepthubError(f"{place}: protocol has several values, and a board has one protocol; write one suite for each")
    (protocol,) = several
    if protocol.name == board.protocol.name:
        protocol = Component(protocol.name, {**board.protocol.settings, **protocol.settings})
    return _with_cuts(replace(board, protocol=protocol), changes, place, plugins)


def _with_cuts(board: Board, values: Mapping[str, Any], place: str, plugins: Plugins) -> Board:
    """The board with other cuts, seeds or samples.

    Raises:
        DepthubError: for cuts under a protocol that divides no classes.
    """
    if "cuts" in values and CUT not in setting_defaults(plugins.get("protocols", board.protocol.name)):
        raise DepthubError(f"{place}: cuts: protocol {board.protocol.name} has no setting {CUT!r}, so its classes are not divided")
    return replace(board, **{key: values[key] for key in ("seeds", "samples", "cuts") if key in values})


def _board(values: Mapping[str, Any], source: str, stem: str, plugins: Plugins) -> Board:
    (protocol,) = grid.components(values["protocol"], "protocols", plugins, f"{source}: protocol")
    for place, name in enumerate(values["data"]):
        if ":" not in name and name not in plugins.names("datasets"):
            raise DepthubError(f"{source}: data[{place}]: unknown data set {name!r}{hint(name, plugins.names('datasets'))}")
    others = {key: values[key] for key in ("companions", "title", "preliminary", "notes") if key in values}
    reference = [
        (row.method, row.head)
        for i, entry in enumerate(values.get("reference", ()))
        for row in _rows(entry, f"{source}: reference[{i}]", plugins)
    ]
    board = Board(
        name=values.get("name", stem),
        protocol=protocol,
        data=tuple(values["data"]),
        shots=tuple(_listed(values.get("shots", 16))),
        backbone=BackboneSpec(**values.get("backbone", {})),
        training=_training(values.get("training", {}), f"{source}: training"),
        settings={name: _settings(name, stated, f"{source}: settings", plugins) for name, stated in values.get("settings", {}).items()},
        reference=reference,
        **others,
    )
    return _with_cuts(board, values, source, plugins)


def _rows(entry: Mapping[str, Any], place: str, plugins: Plugins) -> list[Row]:
    """The rows of an entry: its methods with its heads, settings, recipes, presets and class texts, each combination once."""
    methods = grid.components(entry["method"], "methods", plugins, f"{place}.method")
    heads = grid.components(entry.get("head", RunSpec().head.name), "heads", plugins, f"{place}.head")
    recipes = list(grid.combinations({k: grid.values(v, Any, f"{place}.training.{k}") for k, v in entry.get("training", {}).items()}))
    shots = tuple(_listed(entry.get("shots", [])))
    return [
        Row(method, head, _training(recipe, f"{place}.training"), preset, shots, texts)
        for method in methods
        for head in heads
        for recipe in recipes
        for preset in _listed(entry.get("preset", ""))
        for texts in _listed(entry.get("texts", ""))
    ]


def _training(values: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """Values of a recipe, checked.

    Raises:
        DepthubError: for an unknown field, or a value that no recipe can have.
    """
    names = [field.name for field in fields(Training)]
    if unknown := [name for name in values if name not in names]:
        raise DepthubError(f"{place}: unknown field {unknown[0]!r} of a recipe{hint(unknown[0], names)}")
    try:
        Training(**values)
    except DepthubError as error:
        raise DepthubError(f"{place}: {error}") from error
    return values


def _settings(method: str, stated: Mapping[str, Any], place: str, plugins: Plugins) -> Mapping[str, Any]:
    """Settings of a method, one value each.

    Raises:
        DepthubError: for an unknown method or setting, or several values.
    """
    several = grid.components({"name": method, **stated}, "methods", plugins, place)
    if len(several) > 1:
        raise DepthubError(f"{place}: {method} has several values; a board states one of each setting, and rows of suites may have more")
    return several[0].settings


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _stem(name: str) -> str:
    return Path(name).stem
