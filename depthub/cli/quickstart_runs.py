"""The runs of `depthub quickstart`: every method on every embedded data set, in several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from depthub.boards.labels import row_label
from depthub.cli.plural import counted
from depthub.cli.progress import showing
from depthub.executor import Executor
from depthub.records.result import RunResult
from depthub.spec import Component, DataSpec, RunSpec, Training
from depthub.system.activity import tell
from depthub.values.text import plain

METHODS = (("ZeroShot", "ITM"), ("CoOp", "ITM"), ("CoOp", "DePT"))


def specs(names: Sequence[str], seeds: Sequence[int], epochs: int | None) -> list[RunSpec]:
    """Every method on every data set with every seed; runs of one data set follow one another, so that its features are computed once."""
    training = None if epochs is None else Training(epochs=epochs)
    return [
        RunSpec(method=Component(method), head=Component(head), data=DataSpec(name), seed=seed, training=training)
        for name in names
        for seed in dict.fromkeys(seeds)
        for method, head in METHODS
    ]


def run_all(specs: Sequence[RunSpec], runs: Path, workers: int) -> list[RunResult]:
    """The results, with a bar on the terminal's error output meanwhile.

    Args:
        specs: at least one.
        runs: folder of the run files.
        workers: processes; 0: one per core.
    """
    from depthub.running.runner import run_many

    with _Bar(specs) as bar, _one_thread():
        return run_many(specs, runs=runs, executor=_executor(workers), on_done=bar.on_done)


class _Bar:
    """Progress over all runs: a bar on a terminal, a line per run elsewhere.

    Args:
        specs: the runs.
    """

    def __init__(self, specs: Sequence[RunSpec]) -> None:
        self.total = len(specs)
        self.waiting = dict(enumerate(specs))
        self.console = Console(stderr=True)
        columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
        self.bar = Progress(*columns, console=self.console, disable=not self.console.is_terminal)
        self.task = self.bar.add_task(f"{described(specs[0])} ...", total=len(specs))

    def __enter__(self) -> _Bar:
        self.bar.start()
        if (display := showing.get()) and not self.bar.disable:
            display.bar = lambda line: None  # this bar shows more
        tell("runs done:", 0, self.total)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.console.print(f"stopped with {counted(len(self.waiting), 'run')} to do; the same command continues", markup=False)
        self.bar.stop()

    def on_done(self, index: int, outcome: RunResult | Exception, on_disk: bool) -> None:
        """One run ended."""
        spec = self.waiting.pop(index)
        done = self.total - len(self.waiting)
        tell("runs done:", done, self.total)
        following = next(iter(self.waiting.values()), None)  # runs end about in order, hence it is under way or next
        self.bar.update(self.task, advance=1, description="done" if following is None else f"{described(following)} ...")
        if isinstance(outcome, Exception):
            self.console.print(f"depthub: {described(spec)} failed: {plain(str(outcome))}", markup=False, soft_wrap=True)
        elif self.bar.disable:
            self.console.print(f"{done}/{self.total} {described(spec)}", markup=False, soft_wrap=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch: a second gained an eighth on so small a model, and cost five times as much beside other work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _executor(workers: int) -> Executor | None:
    """The executor of the runs; None: this process.

    Args:
        workers: processes; 0: one per core.
    """
    from depthub.registry.plugins import installed
    from depthub.system.provenance import cores

    number = workers or cores()
    return None if number == 1 else installed().get("executors", "Local")(workers=number)


def described(spec: RunSpec) -> str:
    """A run in words, for messages."""
    return plain(f"{row_label(spec.as_dict())} on {spec.data.name}, seed {spec.seed}")
