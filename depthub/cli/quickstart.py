"""`depthub quickstart`: zero-shot, CoOp and CoOp + DePT on the embedded data sets, in minutes and without a download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from depthub import leaderboard, picture
from depthub.cli.parser import Parser
from depthub.errors import DepthubError
from depthub.leaderboard.labels import row_label
from depthub.leaderboard.markdown import change, statistic
from depthub.spec import Component, DataSpec, RunSpec, Training
from depthub.store import RunResult

HELP = "compare zero-shot, CoOp and CoOp + DePT on the embedded data sets"
METHODS = (("ZeroShot", "ITM"), ("CoOp", "ITM"), ("CoOp", "DePT"))
DATA = ("tones", "weaves", "tallies", "figures", "places", "flags", "digits")
NEEDS = {"digits": "sklearn"}  # data sets that come with another package
FEW = 4  # cores; with more of them a process on each is faster than runs that train together in one process
WORKERS = f"processes; with 1 runs train together in this one; 0 means 1, or one a core if there are more than {FEW}"
CAVEAT = "Procedural data and a small model: the numbers show how the methods differ and cannot be compared with published ones."


def parser() -> Parser:
    """What it takes."""
    made = Parser("depthub quickstart", f"{HELP[0].upper()}{HELP[1:]}.")
    made.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="seeds of the few-shot samples")
    made.add_argument("--datasets", type=str, nargs="+", default=list(DATA), help="data sets")
    made.add_argument("--runs", type=Path, default=Path("quickstart/runs"), help="folder of the runs; finished ones are not done again")
    made.add_argument("--out", type=Path, default=Path("quickstart"), help="folder for the picture and the tables")
    made.add_argument("--workers", type=int, default=0, help=WORKERS)
    made.add_argument("--epochs", type=int | None, default=None, help="passes over the training images; by default the methods' own")
    return made


def main(config: Any) -> int:
    """Run what is not done yet, then show and write the comparison; the exit status."""
    console = Console()
    names = _usable(config.datasets, console)
    found = run_all(specs(names, config.seeds, config.epochs), config.runs, config.workers)
    board = leaderboard.board(found, f"depthub quickstart: {len(names)} data sets, seeds {', '.join(map(str, config.seeds))}")
    rows = sorted(board["rows"], key=lambda row: (not row["untrained"], -row["rank"]))  # the baseline first, the best last
    console.print(table(rows, board["settings"][0]["scores"]))
    console.print(f"H is the harmonic mean of the averaged base and new accuracies. {CAVEAT}", style="dim", markup=False)
    files = [*leaderboard.write(board, config.out)]
    try:
        files.insert(0, picture.draw(rows, config.out / "quickstart.png", _title(names, config.seeds)))
    except DepthubError as error:
        console.print(f"no picture: {error}", markup=False, soft_wrap=True)
    console.print(f"written: {', '.join(map(str, files))}; the runs are in {config.runs}", markup=False, soft_wrap=True)
    return 0


def specs(names: Sequence[str], seeds: Sequence[int], epochs: int | None) -> list[RunSpec]:
    """Every method on every data set with every seed; runs of one data set follow one another, so that its features are computed once."""
    training = None if epochs is None else Training(epochs=epochs)
    return [
        RunSpec(method=Component(method), head=Component(head), data=DataSpec(name), seed=seed, training=training)
        for name in names
        for seed in dict.fromkeys(seeds)
        for method, head in METHODS
    ]


def run_all(wanted: Sequence[RunSpec], runs: Path, workers: int) -> list[RunResult]:
    """The results, with a bar on the terminal's error output while runs are under way."""
    import torch

    from depthub.plugins import installed
    from depthub.provenance import cores
    from depthub.runner import run_many

    together = workers == 1 or (workers == 0 and cores() <= FEW)
    executor = None if together else installed().get("executors", "Local")(workers=workers)
    waiting = dict(enumerate(wanted))
    columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"{_name(wanted[0])} ...", total=len(wanted))

        def done(index: int, outcome: RunResult | Exception, found: bool) -> None:
            spec = waiting.pop(index)
            following = next(iter(waiting.values()), None)  # runs are taken about in order, hence it is under way or next
            bar.update(task, advance=1, description="done" if following is None else f"{_name(following)} ...")
            if isinstance(outcome, Exception):
                bar.console.print(f"{_name(spec)} failed: {outcome}", markup=False, soft_wrap=True)

        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # a second gained an eighth on so small a model, and cost five times as much beside other work
        try:
            return run_many(wanted, runs=runs, executor=executor, on_done=done)
        except KeyboardInterrupt:
            bar.console.print(f"stopped with {len(waiting)} runs to do; the same command continues", markup=False)
            raise
        finally:
            torch.set_num_threads(threads)


def table(rows: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> Table:
    """Averages over data sets, in percent, and H's change against the untrained row."""
    against = next((row["difference"]["against"] for row in rows if row["difference"]), "zero-shot")
    made = Table("method", title="Averages over data sets in percent, ± std over seeds", title_style="")
    for name in (*scores, f"{scores[-1]} against {against}"):
        made.add_column(name, justify="right")
    for row in rows:
        average = row["average"] or {}
        made.add_row(row["label"], *(statistic(average.get(name)) for name in scores), change(row, scores[-1]))
    return made


def _usable(names: Sequence[str], console: Console) -> list[str]:
    lacking = [name for name in names if name in NEEDS and find_spec(NEEDS[name]) is None]
    for name in lacking:
        console.print(f"data set {name!r} is left out: it needs pip install 'depthub[{name}]'", markup=False, soft_wrap=True)
    left = [name for name in dict.fromkeys(names) if name not in lacking]
    if not left:
        raise DepthubError("no data set is left to run on")
    return left


def _name(spec: RunSpec) -> str:
    return f"{row_label(spec.as_dict())} on {spec.data.name}, seed {spec.seed}"


def _title(names: Sequence[str], seeds: Sequence[int]) -> str:
    plural = "" if len(seeds) == 1 else "s"
    return f"Average over {len(names)} embedded data sets, {len(seeds)} seed{plural}"
