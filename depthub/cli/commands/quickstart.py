"""`depthub quickstart`: zero-shot, CoOp and CoOp + DePT on the embedded data sets, in minutes and without a download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from depthub import boards
from depthub.boards import plot
from depthub.boards.markdown import change, conventions, statistic
from depthub.cli.options.parser import Parser
from depthub.cli.packs import Packs, described
from depthub.cli.progress import showing
from depthub.cli.table import shown
from depthub.errors import DepthubError
from depthub.executor import Executor
from depthub.records.result import RunResult
from depthub.spec import Component, DataSpec, RunSpec, Training
from depthub.system.activity import tell
from depthub.values.text import plain

LONG = True  # it says what it is doing
HELP = "compare zero-shot, CoOp and CoOp + DePT on the embedded data sets"
METHODS = (("ZeroShot", "ITM"), ("CoOp", "ITM"), ("CoOp", "DePT"))
DATA = ("tones", "weaves", "tallies", "figures", "places", "flags", "digits")
NEEDS = {"digits": "sklearn"}  # data sets that come with another package
FEW = 4  # cores; with more of them a process for each run is faster than runs that train together
WORKERS = "processes: each takes a data set at a time, or a run if there are more processes than data sets; 0 means one a core"
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
    results = run_all(specs(names, config.seeds, config.epochs), config.runs, config.workers)
    board = boards.board(results, f"depthub quickstart: {len(names)} data sets, seeds {', '.join(map(str, config.seeds))}")
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

    from depthub.running.runner import run_many

    executor = _executor(wanted, runs, workers)
    waiting = dict(enumerate(wanted))
    columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{described(wanted[0])} ...", total=len(wanted))
        if (display := showing.get()) and not bar.disable:
            display.bar = lambda line: None  # this bar says more
        tell("runs done:", 0, len(wanted))

        def done(index: int, outcome: RunResult | Exception, on_disk: bool) -> None:
            spec = waiting.pop(index)
            tell("runs done:", len(wanted) - len(waiting), len(wanted))
            following = next(iter(waiting.values()), None)  # runs are taken about in order, hence it is under way or next
            bar.update(task, advance=1, description="done" if following is None else f"{described(following)} ...")
            if isinstance(outcome, Exception):
                if not isinstance(executor, Packs):  # which says more
                    console.print(f"{described(spec)} failed: {plain(str(outcome))}", markup=False, soft_wrap=True)
            elif bar.disable:
                console.print(f"{len(wanted) - len(waiting)}/{len(wanted)} {described(spec)}", markup=False, soft_wrap=True)

        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # a second gained an eighth on so small a model, and cost five times as much beside other work
        try:
            return run_many(wanted, runs=runs, executor=executor, on_done=done)
        except KeyboardInterrupt:
            console.print(f"stopped with {len(waiting)} runs to do; the same command continues", markup=False)
            raise
        finally:
            torch.set_num_threads(threads)


def _executor(wanted: Sequence[RunSpec], runs: Path, workers: int) -> Executor | None:
    """Where the runs go; None: into this process."""
    from depthub.registry.plugins import installed
    from depthub.system.provenance import cores

    sets = len({spec.data for spec in wanted})
    number = workers or (min(cores(), sets) if cores() <= FEW else cores())
    if number == 1:
        return None
    local: Executor = installed().get("executors", "Local")(workers=number)
    return local if number > sets else Packs(executor=local, runs=runs)


def table(rows: Sequence[Mapping[str, Any]], setting: Mapping[str, Any]) -> Table:
    """Averages over data sets, in percent, and the headline's change against the untrained row."""
    scores, headline = setting["scores"], setting["headline"]
    against = next((row["difference"]["against"] for row in rows if row["difference"]), "zero-shot")
    made = Table("method", title="Averages over data sets in percent, ± std over seeds", title_style="")
    for name in (*scores, f"{headline} against {against}"):
        made.add_column(shown(name), justify="right")
    for row in rows:
        average = row["average"] or {}
        made.add_row(shown(row["label"]), *(statistic(average.get(name)) for name in scores), change(row, headline))
    return made


def _usable(names: Sequence[str], console: Console) -> list[str]:
    lacking = [name for name in names if name in NEEDS and find_spec(NEEDS[name]) is None]
    for name in lacking:
        console.print(plain(f"data set {name!r} is left out: it needs pip install 'depthub[{name}]'"), markup=False, soft_wrap=True)
    left = [name for name in dict.fromkeys(names) if name not in lacking]
    if not left:
        raise DepthubError("no data set is left to run on")
    return left


def _title(names: Sequence[str], seeds: Sequence[int]) -> str:
    plural = "" if len(seeds) == 1 else "s"
    return f"Average over {len(names)} embedded data sets, {len(seeds)} seed{plural}"
