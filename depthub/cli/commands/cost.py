"""`depthub cost`: what methods cost under their heads, each measured alone, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from depthub.boards import costs
from depthub.boards.labels import distinct, row_label
from depthub.cli.options.parser import Parser
from depthub.cli.output import number_table, show_table
from depthub.errors import DepthubError
from depthub.values.text import plain

HELP = "measure what methods cost: trained numbers, operations, time, memory"
LONG = True  # it shows its progress
NOTE = (
    "Operations are those of matrix products, attention and convolutions, forward and backward; time is the median of 20 steps after 3 "
    "others, or of 5 batches of 100 images; memory is what a step keeps for its backward pass, on a GPU the peak of what it allocates."
)
SHOWN = ("trained", "stored_bytes", "step_flop", "step_s", "kept_bytes", "train_s", "test_s")


def parser() -> Parser:
    """The command's options."""
    cost = Parser("depthub cost", f"{HELP.capitalize()}.")
    suite = "a suite that comes with depthub, or the path of a YAML file; or a leaderboard.json or its folder, for the rows of a board"
    cost.add("suite", type=str, nargs="?", default="", metavar="SUITE", help=suite)
    cost.add("--method", type=str, nargs="+", default=[], metavar="NAME", help="methods, instead of a suite")
    cost.add("--head", type=str, nargs="+", default=[], metavar="NAME", help="heads of these methods")
    cost.add("--board", type=str, default="", metavar="BOARD", help="another board for the methods: a name, or a YAML file")
    cost.add("--data", type=str, default="", metavar="NAME", help="the data set, one of the board's (default: its first)")
    cost.add("--only", type=str, nargs="+", default=[], metavar="TEXT", help="only rows whose label has one of these texts")
    cost.add("--data_root", type=Path | None, default=None, metavar="DIR", help="the folder that holds data sets on this machine")
    cost.add("--download", action="store_true", help="download weights that are not on this machine")
    cost.add(
        "--out", type=Path | None, default=None, metavar="FILE", help="write the numbers as JSON, for `leaderboard build --costs FILE`"
    )
    return cost


def main(config: Namespace) -> int:
    """Measure, show, and write what is asked for."""
    from depthub.cli.cost_rows import chosen_rows
    from depthub.running.method_cost import measured
    from depthub.running.options import RunOptions
    from depthub.running.resolving import Resolver
    from depthub.system.activity import tell

    resolver = Resolver(config.data_root, download=config.download)
    runs = [resolver(spec) for spec in chosen_rows(config)]
    specs = [costs.row_spec(run.spec) for run in runs]
    labels = distinct([row_label(spec) for spec in specs], specs)
    chosen = [place for place, label in enumerate(labels) if not config.only or any(text in label for text in config.only)]
    if not chosen:
        raise DepthubError(f"no row has {' or '.join(config.only)} in its label; the rows are {', '.join(labels)}")
    rows, options = [], RunOptions(download=config.download)
    for number, place in enumerate(chosen, start=1):
        tell("measuring costs", number, len(chosen))
        rows.append({"label": labels[place], "spec": specs[place], "measured": asdict(measured(runs[place], options))})
    if config.out:
        costs.write(config.out, runs[0].spec, rows)
    _show(rows)
    return 0


def _show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table: the columns for which a terminal has room."""
    table = number_table("method", numbers=[costs.COLUMNS[key][0] for key in SHOWN])
    for row in rows:
        table.add_row(plain(row["label"]), *costs.cells(row["measured"], SHOWN))
    show_table(table, [NOTE])
