"""Progress in notebooks and scripts: bars or lines for the current activity of this process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from depthub.system.activity import heard_by
from depthub.values.text import plain

EVERY = 5.0  # seconds between lines about the same activity
_COLUMNS = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


@contextmanager
def progress(console: Console | None = None) -> Iterator[None]:
    """Show the progress of runs within the block: reading, encoding, training, and the number of runs that have ended.

        with depthub.progress():
            depthub.run_many(specs)

    Bars in a notebook with `ipywidgets` and on a terminal; elsewhere lines, at most one every few seconds per activity.

    Args:
        console: to write to; by default standard error, or the notebook's cell.
    """
    console = console or Console(file=sys.stderr if not Console().is_jupyter else None, highlight=False)
    if not (console.is_terminal or (console.is_jupyter and find_spec("ipywidgets"))):
        with heard_by(_lines(console)):
            yield
        return
    with Progress(*_COLUMNS, console=console) as bars, heard_by(_bars(bars)):
        yield


def _bars(bars: Progress) -> Callable[[str, int, int], None]:
    """A bar for each activity with a total, and one for all others."""
    tasks: dict[str, TaskID] = {}

    def show(what: str, done: int, total: int) -> None:
        key = what if total else ""
        if key not in tasks:
            tasks[key] = bars.add_task(plain(what), total=total or None)
        bars.update(tasks[key], description=plain(what), completed=done, total=total or None)

    return show


def _lines(console: Console) -> Callable[[str, int, int], None]:
    """A line when an activity begins or ends, and one every few seconds while it lasts."""
    last = ("", 0.0)

    def show(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if what != last[0] or now - last[1] > EVERY or done == total > 0:
            last = (what, now)
            console.print(f"depthub: {plain(what)}" + (f" {done}/{total}" if total else ""), markup=False, soft_wrap=True)

    return show
