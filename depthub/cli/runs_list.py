"""`depthub runs list`: the finished runs in a folder, one row each."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from depthub.cli.options.finished import RUNS
from depthub.cli.options.parser import Parser
from depthub.cli.table import shown
from depthub.errors import DepthubError
from depthub.records.collection import identity
from depthub.records.result import RunResult
from depthub.records.store import FILE, Store
from depthub.values.text import plain

FILTERS = ("method", "head", "protocol", "data")
SHORT = 12  # digits of a run's id in the table


def parser() -> Parser:
    """The sub-command's options."""
    listing = Parser(description="List the finished runs in a folder.")
    listing.add("runs", type=Path, nargs="?", default=RUNS, metavar="DIR", help="the folder of run files")
    for name in FILTERS:
        listing.add(f"--{name}", type=str, default="", metavar="NAME", help=f"only runs of this {name.replace('data', 'data set')}")
    listing.add("--seed", type=int | None, default=None, metavar="SEED", help="only runs with this seed")
    listing.add("--json", action="store_true", help="as JSON")
    return listing


def main(config: Namespace) -> int:
    """List the runs; the exit status is 1 where there is nothing to list. Unreadable files are named."""
    rows = [_row(result) for result in _readable(config.runs) if _matches(result, config)]
    if config.json:
        print(json.dumps(rows, indent=1))
    elif rows:
        _table(rows)
    if not rows:
        print(f"depthub: no such run in {plain(str(config.runs))}", file=sys.stderr)
    return 0 if rows else 1


def _readable(folder: Path) -> Iterator[RunResult]:
    """The runs of a folder; each unreadable one costs a line on stderr with the reason."""
    if not folder.exists():
        raise DepthubError(f"no folder {folder}; expected the folder of run files, such as the one that `depthub run --runs` names")
    for outcome in Store(folder).scan(recount=False):
        if isinstance(outcome, RunResult):
            yield outcome
        else:
            print(f"depthub: warning: {plain(str(outcome))}", file=sys.stderr)


def _matches(result: RunResult, config: Namespace) -> bool:
    columns = identity(result)
    filters = {name: config[name] for name in FILTERS if config[name]} | ({} if config.seed is None else {"seed": config.seed})
    return all(columns[name] == value for name, value in filters.items())


def _row(result: RunResult) -> dict[str, Any]:
    score = {"score": result.headline, "value": float(result.scores[result.headline])}
    row = {**identity(result), **score, "written": None, "folder": None}
    if result.folder is None:  # a packed run
        return row
    written = datetime.fromtimestamp((result.folder / FILE).stat().st_mtime).astimezone()
    return row | {"written": written.isoformat(timespec="seconds"), "folder": str(result.folder)}


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    names = [*FILTERS, "shots", "seed"]
    score = {row["score"] for row in rows}
    title = f"{shown(score.pop())}, %" if len(score) == 1 else "score, %"
    columns = (Column("id", no_wrap=True), *(Column(name, overflow="fold") for name in names), Column(shown(title), justify="right"))
    table = Table(*columns, Column("written", no_wrap=True), box=None, padding=(0, 1, 0, 0))
    for row in rows:
        value = f"{row['value']:.2f}" if title != "score, %" else f"{row['score']} {row['value']:.2f}"
        cells = (str(row[name]) for name in names)
        table.add_row(row["run_id"][:SHORT], *map(shown, cells), shown(value), (row["written"] or "packed")[:10])
    Console(highlight=False).print(table)
