"""Progress of a suite: a bar on a terminal, plain lines through a pipe."""

from __future__ import annotations

import sys
import threading
from time import monotonic

from depthub.cli.plural import counted, duration
from depthub.cli.progress import Activity, showing
from depthub.cli.time_limit import OutOfTimeError
from depthub.records import failures
from depthub.records.result import RunResult
from depthub.records.store import FILE, Store
from depthub.running.resolved import Resolved
from depthub.suites.description import described
from depthub.suites.plan import Plan
from depthub.system.activity import tell
from depthub.values.text import plain

LOOK = 1.0  # seconds between two looks at the store


class SuiteProgress:
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

    def __enter__(self) -> SuiteProgress:
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
        self.out_of_time = kind is OutOfTimeError
        if self.out_of_time or (kind is not None and issubclass(kind, KeyboardInterrupt)):
            left = counted(len(self.pending), "run")
            print(f"stopped with {left} to do; the same command continues", file=sys.stderr)
        return self.out_of_time

    def on_end(self, run: Resolved, outcome: RunResult | Exception) -> None:
        """A run has ended."""
        self.pending.discard(run.run_id)
        if isinstance(outcome, Exception):
            self.failed += 1
            self.bar.console.print(plain(f"depthub: {described(run)} failed: {outcome}"), markup=False, soft_wrap=True)
        elif self.bar.disable:
            print(f"{self.total - len(self.pending)}/{self.total} done: {described(run)}", file=sys.stderr, flush=True)

    def _look(self) -> None:
        before = self._finished()  # failures of earlier executions, for example
        while not self._ended.wait(LOOK):
            done = len(self._finished() - before)
            pace = done / (monotonic() - self.start)
            rest = f", about {duration((self.total - done) / pace)} to go" if pace else ""
            failed = f", {self.failed} failed" if self.failed else ""
            tell(f"{self.planned.name}: {3600 * pace:.0f} runs an hour{failed}{rest}; runs", done, self.total)
            self.bar.update(self.task, completed=done, description=f"{3600 * pace:.0f} runs/h{failed}{rest}")

    def _finished(self) -> set[str]:
        """Ids of the runs to do that have a result or a failure."""
        root = self.store.root
        ids = (self.planned.runs[place].run_id for place in self.planned.to_do)
        return {run_id for run_id in ids if any((root / run_id / name).exists() for name in (FILE, failures.FILE))}
