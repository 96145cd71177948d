"""`depthub quickstart`: zero-shot, CoOp and CoOp + DePT on the embedded data sets, in minutes and without a download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from depthub import boards
from depthub.boards import plot
from depthub.boards.markdown import change, conventions, statistic
from depthub.cli import quickstart_runs
from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.cli.table import shown
from depthub.errors import DepthubError
from depthub.values.text import plain

LONG = True  # it shows its progress
HELP = "compare zero-shot, CoOp and CoOp + DePT on the embedded data sets"
DATA = ("tones", "weaves", "tallies", "figures", "places", "flags", "digits")
NEEDS = {"digits": "sklearn"}  # data sets that come with another package
WORKERS = "processes (default: one per core); each does a data set at a time, or a run if there are more processes than data sets"
CAVEAT = "Procedural data and a small model: the numbers show how the methods differ and cannot be compared with published ones."


def parser() -> Parser:
    """The command's options."""
    quickstart = Parser("depthub quickstart", f"{HELP[0].upper()}{HELP[1:]}.")
    quickstart.add("--datasets", type=str, nargs="+", default=list(DATA), metavar="NAME", help="data sets")
    quickstart.add("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="SEED", help="seeds of the few-shot samples")
    epochs = "passes over the training images (default: of each method its own)"
    quickstart.add("--epochs", type=int | None, default=None, metavar="N", help=epochs)
    quickstart.add("--workers", type=int, default=0, metavar="N", help=WORKERS)
    runs = "the folder of run files; finished runs are not done again"
    quickstart.add("--runs", type=Path, default=Path("quickstart/runs"), metavar="DIR", help=runs)
    quickstart.add("--out", type=Path, default=Path("quickstart"), metavar="DIR", help="the folder for the picture and the tables")
    return quickstart


def main(config: Any) -> int:
    """Do the unfinished runs, then show and write the comparison; the exit status."""
    console = Console()
    names = _usable(config.datasets, console)
    specs = quickstart_runs.specs(names, config.seeds, config.epochs)
    results = quickstart_runs.run_all(specs, config.runs, config.workers)
    board = boards.board(results, f"depthub quickstart: {counted(len(names), 'data set')}, seeds {', '.join(map(str, config.seeds))}")
    setting = board["settings"][0]
    rows = sorted(board["rows"], key=lambda row: (not row["untrained"], -row["rank"]))  # the baseline first, the best last
    console.print(table(rows, setting))
    console.print(plain(" ".join([*conventions(setting), CAVEAT])), style="dim", markup=False)
    files = [*boards.write(board, config.out)]
    try:
        files.insert(0, plot.draw(rows, setting, config.out / "quickstart.png", _title(names, config.seeds)))
    except DepthubError as error:
        console.print(plain(f"no picture: {error}"), markup=False, soft_wrap=True)
    console.print(plain(f"written: {', '.join(map(str, files))}; the runs are in {config.runs}"), markup=False, soft_wrap=True)
    return 0


def table(rows: Sequence[Mapping[str, Any]], setting: Mapping[str, Any]) -> Table:
    """Averages over data sets, in percent, and the headline's change against the untrained row."""
    scores, headline = setting["scores"], setting["headline"]
    against = next((row["difference"]["against"] for row in rows if row["difference"]), "zero-shot")
    averages = Table("method", title="Averages over data sets in percent, ± std over seeds", title_style="")
    for name in (*scores, f"{headline} against {against}"):
        averages.add_column(shown(name), justify="right")
    for row in rows:
        average = row["average"] or {}
        averages.add_row(shown(row["label"]), *(statistic(average.get(name)) for name in scores), change(row, headline))
    return averages


def _usable(names: Sequence[str], console: Console) -> list[str]:
    """The data sets whose packages are installed; the others are named."""
    unusable = [name for name in names if name in NEEDS and find_spec(NEEDS[name]) is None]
    for name in unusable:
        console.print(plain(f"data set {name!r} is left out: it needs pip install 'depthub[{name}]'"), markup=False, soft_wrap=True)
    usable = [name for name in dict.fromkeys(names) if name not in unusable]
    if not usable:
        raise DepthubError("no data set is left to run on")
    return usable


def _title(names: Sequence[str], seeds: Sequence[int]) -> str:
    return f"Average over {counted(len(names), 'embedded data set')}, {counted(len(seeds), 'seed')}"
