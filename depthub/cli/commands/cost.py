"""`depthub cost SUITE`: what each method of a suite costs under its head, measured alone, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from depthub.boards.costs import COLUMNS, write
from depthub.boards.labels import distinct, row_label
from depthub.cli.options.parser import Parser
from depthub.cli.output import number_table, show_table
from depthub.errors import DepthubError
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.spec import RunSpec

HELP = "measure what methods cost: trained numbers, operations, time, memory"
LONG = True  # it shows its progress
NOTE = (
    "Operations are those of matrix products, attention and convolutions, forward and backward; time is the median of 20 steps after 3 "
    "others, or of 5 batches of 100 test images; memory is what a step keeps for its backward pass, on a GPU the peak of what it allocates."
)


def parser() -> Parser:
    """The command's options."""
    cost = Parser("depthub cost", f"{HELP.capitalize()}.")
    cost.add("suite", type=str, metavar="SUITE", help="a suite that comes with depthub, or the path of a YAML file")
    cost.add("--board", type=str, default="", metavar="BOARD", help="another board for the suite's methods: a name, or a YAML file")
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
    from depthub.running.method_cost import measured
    from depthub.running.options import RunOptions
    from depthub.running.resolving import Resolver
    from depthub.system.activity import tell

    resolver = Resolver(config.data_root, download=config.download)
    runs = [resolver(spec) for spec in _rows(config)]
    plain_specs = [run.spec.as_dict() for run in runs]
    labels = distinct([row_label(spec) for spec in plain_specs], plain_specs)
    chosen = [place for place, label in enumerate(labels) if not config.only or any(text in label for text in config.only)]
    if not chosen:
        raise DepthubError(f"no row of {config.suite} has {' or '.join(config.only)} in its label; its rows are {', '.join(labels)}")
    rows, options = [], RunOptions(download=config.download)
    for number, place in enumerate(chosen, start=1):
        tell("measuring costs", number, len(chosen))
        spec, cost = plain_specs[place], asdict(measured(runs[place], options))
        least, median, largest = cost["step_s"]
        numbers = {**cost, "step_s": median, "step_least_s": least, "step_largest_s": largest}
        rows.append({"label": labels[place], "method": spec["method"], "head": spec["head"], "measured": numbers})
    if config.out:
        write(config.out, runs[0].spec.data.name, runs[0].spec.without_places().backbone, rows)
    show(rows)
    return 0


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table."""
    table = number_table("method", numbers=["trained", *(name for name, _ in COLUMNS.values())])
    for row in rows:
        numbers = row["measured"]
        table.add_row(
            plain(row["label"]), f"{numbers['trained']:,}", *(f"{numbers[key] / unit:,.4g}" for key, (_, unit) in COLUMNS.items())
        )
    show_table(table, [NOTE])


def _rows(config: Namespace) -> list[RunSpec]:
    """One spec for each method and head of the suite, on one data set."""
    from depthub.suites.reading import read_suite

    specs = read_suite(config.suite, config.board).specs()
    names = list(dict.fromkeys(spec.data.name for spec in specs))
    name = config.data or names[0]
    if name not in names:
        raise DepthubError(f"the board has no data set {name!r}; its data sets are {', '.join(names)}")
    return list({(spec.method, spec.head): spec for spec in reversed(specs) if spec.data.name == name}.values())[::-1]
