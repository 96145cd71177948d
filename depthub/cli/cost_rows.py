"""The rows that `depthub cost` measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from depthub.boards import load_board
from depthub.errors import DepthubError
from depthub.registry.plugins import installed
from depthub.spec import Component, DataSpec, RunSpec
from depthub.suites.reading import read_board, read_suite
from depthub.suites.suite import Row, Suite


def chosen_rows(config: Namespace) -> list[RunSpec]:
    """One run of each row that a command line chooses, on one data set.

    Args:
        config: with `suite`, `method`, `head`, `board` and `data`.

    Raises:
        DepthubError: unless a suite or a leaderboard is named, or methods and their board, and the board has the data set.
    """
    specs = _specs(config)
    names = list(dict.fromkeys(spec.data.name for spec in specs))
    name = config.data or names[0]
    if name not in names:
        raise DepthubError(f"the board has no data set {name!r}; its data sets are {', '.join(names)}")
    rows: dict[str, RunSpec] = {}
    for spec in specs:
        if spec.data.name == name:
            rows.setdefault(repr(replace(spec, seed=1, sample=None)), spec)
    return [*rows.values()]


def _specs(config: Namespace) -> list[RunSpec]:
    """The runs of a suite, of a leaderboard, or of methods on a board."""
    if bool(config.suite) == bool(config.method) or (config.head and not config.method) or (config.method and not config.board):
        raise DepthubError("nothing to measure, or two things; name a suite or a leaderboard's folder, or --method with --board")
    if config.method:
        heads = config.head or [RunSpec().head.name]
        rows = [Row(Component(method), Component(head)) for method in config.method for head in heads]
        suite = Suite("methods", read_board(config.board), rows, installed())
        return [spec for row in rows for spec in suite.specs_of(row)]
    if Path(config.suite).is_dir() or config.suite.endswith(".json"):
        document = load_board(config.suite)
        return [_of_row(row["spec"], run) for row in document["rows"] for run in row["runs"]]
    return read_suite(config.suite, config.board).specs()


def _of_row(row: Mapping[str, Any], run: Mapping[str, Any]) -> RunSpec:
    """The spec of a run of a leaderboard's row."""
    return RunSpec.of({**row, "data": DataSpec(run["data"]), "seed": run["seed"]})
