"""`depthub cost`: what methods cost under their heads, each measured alone, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from depthub.boards import costs
from depthub.cli.options.parser import Parser
from depthub.cli.output import number_table, show_table
from depthub.errors import DepthubError
from depthub.system.files import require_writable
from depthub.values.text import plain

HELP = "measure what methods cost: trained numbers, operations, time, memory"
LONG = True  # it shows its progress
NOTE = (
    "Operations are those of matrix products, attention and convolutions, forward and backward; time is the median of 20 steps after 3 "
    "others, or of 5 batches of 100 images; memory is what a step keeps for its backward pass, on a GPU the peak of what it allocates."
)
SHOWN = ("trained", "stored_bytes", "step_flop", "step_s", "kept_bytes", "train_s", "test_s")
LABEL = 24  # characters of a label that no column of numbers takes; the rest folds
GAP = 2  # between columns
LONGER = 24 * "."  # at least what a file's name is longer by while it is written


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
    texts = "class texts of the methods, or the place of the file that a suite or a leaderboard names: a file, or the name of a plugin's"
    cost.add("--texts", type=str, default="", metavar="FILE", help=texts)
    cost.add("--data_root", type=Path | None, default=None, metavar="DIR", help="the folder that holds data sets on this machine")
    cost.add("--download", action="store_true", help="download weights that are not on this machine")
    cost.add(
        "--out", type=Path | None, default=None, metavar="FILE", help="write the numbers as JSON, for `leaderboard build --costs FILE`"
    )
    return cost


def main(config: Namespace) -> int:
    """Measure, write what is asked for after each row, and show what was measured, also where an error or Ctrl-C ends it early."""
    if config.out:
        _require_place(config.out)
    from depthub.cli.cost_rows import chosen_rows
    from depthub.running.method_cost import measured
    from depthub.running.options import RunOptions
    from depthub.running.resolving import Resolver
    from depthub.system.activity import tell

    chosen = chosen_rows(config, Resolver(config.data_root, download=config.download))
    rows, options = list[dict[str, Any]](), RunOptions(download=config.download)
    try:
        for number, (label, run) in enumerate(chosen.items(), start=1):
            tell("measuring costs", number, len(chosen))
            rows.append({"label": label, "spec": costs.row_spec(run.spec), "measured": asdict(measured(run, options))})
            if config.out:
                costs.write(config.out, run.spec, rows)
    finally:
        if rows:
            _show(rows)
    return 0


def _require_place(out: Path) -> None:
    """Notice a file that cannot be written before the measuring, not after.

    Raises:
        DepthubError: if it is a folder, or the system would refuse.
    """
    try:
        if out.is_dir():
            raise DepthubError(f"--out {out} is a folder; expected a file, such as {out / costs.FILE}")
        out.with_name(f"{out.name}{LONGER}").exists()
        require_writable(out.parent, "--out")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DepthubError(f"cannot write {out!s:.80}: {reason}; choose another file with --out") from error


def _show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table: the columns for which a terminal has room, from the left; no number is cut off."""
    from rich.console import Console

    labels = [plain(row["label"]) for row in rows]
    numbers = {key: [cell for row in rows for cell in costs.cells(row["measured"], [key])] for key in SHOWN}
    widths = _widths(labels, numbers, Console().width)
    fitting = list(widths)[1:]
    table = number_table("method", numbers=[costs.COLUMNS[key][0] for key in fitting])
    for column, width in zip(table.columns, widths.values(), strict=True):
        column.width = width
    for place, label in enumerate(labels):
        table.add_row(label, *(numbers[key][place] for key in fitting))
    without = ", ".join(costs.COLUMNS[key][0] for key in SHOWN if key not in widths)
    show_table(table, [*([f"No room for: {without}. A wider terminal shows them, --out FILE writes them."] if without else []), NOTE])


def _widths(labels: Sequence[str], numbers: Mapping[str, Sequence[str]], room: int) -> dict[str, int]:
    """Widths of the column of labels, whose name is empty, and of those columns of numbers that fit; headers may wrap between words."""
    from rich.cells import cell_len

    headers = {key: costs.COLUMNS[key][0] for key in numbers}
    longest = max(map(cell_len, ("method", *labels)))
    first, *others = ((key, max(map(cell_len, (*headers[key].split(), *cells)))) for key, cells in numbers.items())
    widths = {"": max(1, min(LABEL, longest, room - first[1] - 2 * GAP)), first[0]: first[1]}
    spare = room - sum(width + GAP for width in widths.values())
    for key, width in others:
        if spare < width + GAP:
            break
        widths[key], spare = width, spare - width - GAP
    for key, wanted in [*((key, cell_len(headers[key])) for key in widths if key), ("", longest)]:
        wider = max(0, min(spare, wanted - widths[key]))
        widths[key], spare = widths[key] + wider, spare - wider
    return widths
