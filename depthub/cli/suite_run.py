"""The execution of a suite, on a terminal or through a pipe."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import NoReturn

from jsonargparse import Namespace

from depthub import boards
from depthub.cli import suite_plan
from depthub.cli.options import run_specs
from depthub.cli.plural import counted
from depthub.cli.progress import Activity, showing
from depthub.errors import DepthubError
from depthub.records import failures
from depthub.records.result import RunResult
from depthub.records.store import FILE, Store
from depthub.running.resolved import Resolved
from depthub.suites.description import described
from depthub.suites.execution import Ended, collect, execute, set_damaged_aside
from depthub.suites.manifest import Manifest
from depthub.suites.plan import Plan
from depthub.system.activity import tell
from depthub.values.text import plain

LOOK = 1.0  # seconds between two looks at the store
FAILED, OUT_OF_TIME = 1, 3  # exit statuses


class _OutOfTimeError(BaseException):
    """`--max-hours` have passed; not an `Exception`, so that no `except Exception` of a run catches it."""


def main(config: Namespace) -> int:
    """Do the runs that are to do, and write the leaderboard; the exit status: 0, 1 if runs failed, 3 if the time was up before the end."""
    store, executor = Store(config.runs), suite_plan.executor_of(config)
    planned = suite_plan.planned_from(config, executor)
    if config.dry_run:
        suite_plan.show(planned, max(1, executor.slots), config.watts)
        return 0
    aside = list(set_damaged_aside(planned, store))
    if aside:
        planned = suite_plan.planned_from(config, executor)
    manifest = Manifest(planned.name, {run.run_id: described(run) for run in planned.runs})
    for line in (*aside, manifest.changes(Manifest.read(store.root, planned.name))):
        if line:
            print(f"depthub: note: {plain(line)}", file=sys.stderr)
    store.require_writable()
    manifest.write(store.root)
    ended = Ended()
    with Display(planned, store) as display, _time_limit(config.max_hours):
        execute(planned, store, run_specs.options(config), executor, ended, display.on_end)
    collect(planned, store, ended)
    out = suite_plan.out_folder(config, planned.name)
    _report(planned, ended, out)
    return OUT_OF_TIME if display.out_of_time else FAILED if ended.errors else 0


class Display:
    """The progress of a suite: a bar on a terminal, lines through a pipe. It looks into the store, where results appear at once.

    Args:
        planned: the suite.
        store: of the results.

    Attributes:
        out_of_time: whether the time was up before the end.
    """

    def __init__(self, planned: Plan, store: Store) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.planned, self.store, self.out_of_time = planned, store, False
        self.pending = {planned.runs[place].run_id for place in planned.to_do}
        self.total, self.failed, self.start = len(self.pending), 0, monotonic()
        self.shown = showing.get() or Activity()
        console = Console(file=sys.stderr, highlight=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn())
        self.bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self.task = self.bar.add_task(planned.name, total=self.total)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="depthub-suite", daemon=True)

    def __enter__(self) -> Display:
        done = self.planned.counts().get("done", 0)
        print(plain(f"{self.planned.name}: {counted(self.total, 'run')} to do, {done} done"), file=sys.stderr)
        self.bar.start()
        if not self.bar.disable:
            self.shown.bar = lambda line: None  # this bar shows more
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._ended.set()
        self._thread.join()
        self.bar.stop()
        self.shown.bar = None
        self.out_of_time = kind is _OutOfTimeError
        if kind is KeyboardInterrupt or self.out_of_time:
            left = counted(len(self.pending), "run")
            print(f"stopped with {left} to do; the same command continues", file=sys.stderr)
        return self.out_of_time

    def on_end(self, run: Resolved, outcome: RunResult | Exception) -> None:
        """A run has ended."""
        self.pending.discard(run.run_id)
        if isinstance(outcome, Exception):
            self.failed += 1
            self.bar.console.print(plain(f"{described(run)} failed: {outcome}"), markup=False, soft_wrap=True)
        elif self.bar.disable:
            print(f"{self.total - len(self.pending)}/{self.total} done: {described(run)}", file=sys.stderr, flush=True)

    def _look(self) -> None:
        before = self._finished()  # failures of earlier executions, for example
        while not self._ended.wait(LOOK):
            done = len(self._finished() - before)
            pace = done / (monotonic() - self.start)
            rest = f", about {suite_plan.duration((self.total - done) / pace)} to go" if pace else ""
            failed = f", {self.failed} failed" if self.failed else ""
            tell(f"{self.planned.name}: {3600 * pace:.0f} runs an hour{failed}{rest}; runs", done, self.total)
            self.bar.update(self.task, completed=done, description=f"{3600 * pace:.0f} runs/h{failed}{rest}")

    def _finished(self) -> set[str]:
        """Ids of the runs to do that have a result or a failure."""
        root = self.store.root
        ids = (self.planned.runs[place].run_id for place in self.planned.to_do)
        return {run_id for run_id in ids if any((root / run_id / name).exists() for name in (FILE, failures.FILE))}


def _report(planned: Plan, ended: Ended, out: Path) -> None:
    """Write the leaderboard, and end with the failures."""
    finished = list(ended.results.values())
    if finished:
        files = boards.write(boards.board(finished, planned.name), out)
        print(plain(f"{len(finished)} of {counted(len(planned.runs), 'run')}: {', '.join(map(str, files))}"))
    for place, error in sorted(ended.errors.items()):
        run = planned.runs[place]
        print(plain(f"failed: {run.run_id[:12]} {described(run)}: {error}"), file=sys.stderr)
    if ended.errors:
        print(f"{counted(len(ended.errors), 'run')} failed; --retry-failed does them again", file=sys.stderr)


@contextmanager
def _time_limit(hours: float) -> Iterator[None]:
    """Stop the block after some hours; 0: never.

    Raises:
        DepthubError: on systems without such a timer.
    """
    if not hours:
        yield
        return
    if hours < 0 or not hasattr(signal, "setitimer"):
        raise DepthubError(f"--max-hours is {hours}, expected a positive number, on a system with interval timers")
    before = signal.signal(signal.SIGALRM, _raise_out_of_time)
    signal.setitimer(signal.ITIMER_REAL, 3600 * hours)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise_out_of_time(number: int, frame: FrameType | None) -> NoReturn:
    raise _OutOfTimeError
