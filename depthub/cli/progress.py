"""Progress of a command: a bar on a terminal, plain lines through a pipe; never silence for long."""

from __future__ import annotations

import sys
import threading
import time
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from depthub.spec import RunSpec
from depthub.system import activity
from depthub.system.launch import is_main
from depthub.values.text import plain

showing: ContextVar[Activity | None] = ContextVar("showing", default=None)  # of the command in progress
EVERY = 5.0  # seconds between lines where there is no terminal
FIRST = 0.5  # seconds until the first line


class Activity:
    """Shows the current activity of this process, from its first second on.

    On a terminal the description of a bar follows every change. Elsewhere a line is written every few seconds, with the duration if
    nothing changes.
    """

    def __init__(self) -> None:
        self.quiet = not is_main()  # of processes that share runs, one prints
        self.terminal = sys.stderr.isatty()
        self.bar: Any = None
        self._activity, self._since, self._ended = "starting", time.monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="depthub-activity", daemon=True)
        self._listening = activity.heard_by(self.tell)

    def __enter__(self) -> Activity:
        showing.set(self)
        self._listening.__enter__()
        if not self.quiet:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        showing.set(None)
        self._ended.set()
        self._listening.__exit__(kind, error, trace)
        if self._thread.is_alive():
            self._thread.join()
        if self.terminal and not self.quiet:
            self._clear()

    def tell(self, what: str, done: int = 0, total: int = 0) -> None:
        """Set the current activity, see `activity.tell`."""
        text = f"{what} {done}/{total}" if total else what
        if text != self._activity:
            self._activity, self._since = text, time.monotonic()

    def _repeat(self) -> None:
        wait = FIRST
        while not self._ended.wait(wait):
            seconds = time.monotonic() - self._since
            line = plain(f"{self._activity} ({seconds:.0f} s)" if seconds > EVERY else self._activity)
            if self.terminal:
                self._show(line)
            else:
                print(f"depthub: {line}", file=sys.stderr, flush=True)
            wait = 0.2 if self.terminal else EVERY

    def _show(self, line: str) -> None:
        bar = self.bar
        if bar:
            bar(line)
        else:
            print(f"\r\x1b[2K{line[:100]}", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if not self.bar:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


class Progress:
    """The runs of a command: a bar on a terminal, a line for each run that ends elsewhere.

    Args:
        total: number of runs.
        shown: the display of activities.
    """

    def __init__(self, total: int, shown: Activity) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.total, self.ended, self.shown = total, 0, shown
        console = Console(file=sys.stderr, highlight=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.bar = Progress(*columns, console=console, disable=shown.quiet or not console.is_terminal)
        self.task = self.bar.add_task("", total=total)

    def __enter__(self) -> Progress:
        self.bar.start()
        if not self.bar.disable:
            self.shown.bar = lambda line: self.bar.update(self.task, description=line)
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
        self.shown.bar = None

    def epoch(self, done: int, loss: float) -> None:
        """A run in this process finished an epoch."""
        self.shown.tell(f"training: epoch {done} done, loss {loss:.3f}")

    def note(self, text: str) -> None:
        """A line above the bar."""
        if not self.shown.quiet:
            self.bar.console.print(f"depthub: {plain(text)}", markup=False, soft_wrap=True)

    def advance(self, state: str, spec: RunSpec) -> None:
        """One run ended."""
        self.ended += 1
        self.bar.advance(self.task)
        if self.bar.disable and not self.shown.quiet:
            print(f"{self.ended}/{self.total} {state}: {spec.run_id[:12]}", file=sys.stderr, flush=True)
