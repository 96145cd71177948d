"""`depthub runs metrics`: metrics of finished runs, from their stored predictions."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from depthub.cli.options.finished import RUNS
from depthub.cli.options.parser import Parser
from depthub.cli.output import number_table, show_table
from depthub.cli.table import shown
from depthub.records.collection import Results, identity, results
from depthub.registry.metrics import METRICS
from depthub.values.text import plain

COLUMNS = ("method", "head", "data", "seed", "task")
SHORT = 8  # digits of a run's id in the table
NOTE = "-: not in the stored predictions; packed runs have the best class of each image alone, and top5 needs five classes"


def parser() -> Parser:
    """The sub-command's options."""
    metrics = Parser(description="Metrics of finished runs and their test tasks, from the stored predictions.")
    metrics.add("runs", type=Path, nargs="?", default=RUNS, metavar="RUNS", help="a folder of runs, a board's folder, or one run's folder")
    words = "metrics to show (default: all, those of plugins too)"
    metrics.add("--metric", type=str, nargs="+", default=[], metavar="NAME", help=words)
    metrics.add("--json", action="store_true", help="as JSON")
    return metrics


def main(config: Namespace) -> int:
    """Show the metrics; the exit status is 1 where there is no run."""
    from depthub.cli.commands.plugins import usable
    from depthub.records.measuring import metrics, names_of

    plugins = usable()
    names = list(dict.fromkeys(config.metric)) or names_of(plugins)
    rows = [
        {**identity(run), "task": task, METRICS: {name: values.get(name) for name in names}}
        for run in _readable(config.runs)
        for task, values in metrics(run, names).items()
    ]
    if config.json:
        print(json.dumps(rows, indent=1))
    elif rows:
        _show(rows, names)
    if not rows:
        print(f"depthub: no such run in {plain(str(config.runs))}", file=sys.stderr)
    return 0 if rows else 1


def _readable(place: Path) -> Results:
    """The runs of a place; each unreadable one costs a line on stderr with the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        readable = results(place)
    for error in readable.left_out:
        print(f"depthub: warning: {plain(str(error))}", file=sys.stderr)
    return readable


def _show(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    table = number_table("id", *COLUMNS, numbers=[name.replace("_", " ") for name in names])  # blanks let a heading fold
    for row in rows:
        values = [row[METRICS][name] for name in names]
        cells = (shown(str(row[name])) for name in COLUMNS)
        table.add_row(row["run_id"][:SHORT], *cells, *("-" if value is None else f"{value:.4g}" for value in values))
    is_missing = any(row[METRICS][name] is None for row in rows for name in names)
    show_table(table, [NOTE] if is_missing else [])
