"""`depthub runs`: finished runs in a folder: what there is, one in full, two side by side."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from depthub.cli import runs_diff, runs_show
from depthub.cli.options.finished import RUNS, add_run, read_run
from depthub.cli.options.parser import Parser
from depthub.cli.table import shown
from depthub.errors import DepthubError
from depthub.records.collection import identity
from depthub.records.result import RunResult
from depthub.records.store import FILE, Store
from depthub.values.text import plain

HELP = "list finished runs, show one, or compare two"
FILTERS = ("method", "head", "protocol", "data")
SHORT = 12  # digits of a run's id in the table


def parser() -> Parser:
    """The sub-commands, and what they take."""
    made = Parser("depthub runs", f"{HELP.capitalize()}.")
    commands = made.add_subcommands(required=True, dest="command")
    for name, one in (("list", _list_parser()), ("show", _show_parser()), ("diff", _diff_parser())):
        commands.add_subcommand(name, one, help=one.description).prog = f"depthub runs {name}"
    return made


def main(config: Namespace) -> int:
    """Do what the sub-command says."""
    return {"list": _list, "show": _show, "diff": _diff}[config.command](config[config.command])


def _list_parser() -> Parser:
    made = Parser("depthub runs list", "List the finished runs in a folder.")
    made.add_argument("runs", type=Path, nargs="?", default=RUNS, metavar="DIR", help="the folder of run files")
    for name in FILTERS:
        made.add_argument(f"--{name}", type=str, default="", metavar="NAME", help=f"only runs of this {name}")
    made.add_argument("--seed", type=int | None, default=None, help="only runs with this seed")
    made.add_argument("--json", action="store_true", help="as JSON")
    return made


def _list(config: Namespace) -> int:
    """The exit status is 1 where there is nothing to list; files that cannot be read are named."""
    rows = [_row(result) for result in _readable(config.runs) if _wanted(result, config)]
    if config.json:
        print(json.dumps(rows, indent=1))
    elif rows:
        _table(rows)
    if not rows:
        print(f"depthub: no such run in {plain(str(config.runs))}", file=sys.stderr)
    return 0 if rows else 1


def _readable(folder: Path) -> Iterator[RunResult]:
    """The runs of a folder; of each that cannot be read, a line on stderr says why."""
    if not folder.is_dir():
        raise DepthubError(f"no folder {folder}; expected the folder of run files, such as the one that `depthub run --runs` names")
    for outcome in Store(folder).scan(recount=False):
        if isinstance(outcome, RunResult):
            yield outcome
        else:
            print(f"depthub: warning: {plain(str(outcome))}", file=sys.stderr)


def _wanted(result: RunResult, config: Namespace) -> bool:
    told = identity(result)
    asked = {name: config[name] for name in FILTERS if config[name]} | ({} if config.seed is None else {"seed": config.seed})
    return all(told[name] == value for name, value in asked.items())


def _row(result: RunResult) -> dict[str, Any]:
    assert result.folder is not None, "it was read from there"
    written = datetime.fromtimestamp((result.folder / FILE).stat().st_mtime).astimezone()
    score = {"score": result.headline, "value": float(result.scores[result.headline])}
    return {**identity(result), **score, "written": written.isoformat(timespec="seconds"), "folder": str(result.folder)}


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
        table.add_row(row["run_id"][:SHORT], *map(shown, cells), shown(value), row["written"][:10])
    Console(highlight=False).print(table)


def _show_parser() -> Parser:
    made = Parser("depthub runs show", "Show a finished run in full: settings, counts, scores, classes, costs, and where it comes from.")
    add_run(made, "run")
    made.add_argument("--json", action="store_true", help="as JSON")
    return made


def _show(config: Namespace) -> int:
    result = read_run(config.run, config.runs)
    if config.json:
        print(json.dumps(runs_show.document(result), indent=1))
    else:
        runs_show.show(result)
    return 0


def _diff_parser() -> Parser:
    made = Parser(
        "depthub runs diff", "Compare two finished runs: settings, counts, scores, and on the same images which of them was right."
    )
    add_run(made, "first", "second")
    made.add_argument("--json", action="store_true", help="as JSON")
    return made


def _diff(config: Namespace) -> int:
    from depthub.records.comparison import compare

    compared = compare(read_run(config.first, config.runs), read_run(config.second, config.runs))
    if config.json:
        print(json.dumps(compared.as_dict(), indent=1))
    else:
        runs_diff.show(compared)
    return 0
