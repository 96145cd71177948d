"""Shows what this process is doing where there is no command: in a notebook, in a script."""

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

EVERY = 5.0  # seconds after which a line is written where there are no bars
_COLUMNS = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


@contextmanager
def progress(console: Console | None = None) -> Iterator[None]:
    """Show what runs are doing within the block: reading, encoding, training, and how many runs have ended.

        with depthub.progress():
            depthub.run_many(specs)

    In a notebook with `ipywidgets`, and on a terminal, these are bars; elsewhere lines, one every few seconds at most.

    Args:
        console: where to; by default standard error, or the notebook's cell.
    """
    console = console or Console(file=sys.stderr if not Console().is_jupyter else None, highlight=False)
    if not (console.is_terminal or (console.is_jupyter and find_spec("ipywidgets"))):
        with heard_by(_lines(console)):
            yield
        return
    with Progress(*_COLUMNS, console=console) as bars, heard_by(_bars(bars)):
        yield


def _bars(bars: Progress) -> Callable[[str, int, int], None]:
    """A bar for each thing that is counted, and one for all that is not."""
    tasks: dict[str, TaskID] = {}

    def show(what: str, done: int, total: int) -> None:
        key = what if total else ""
        if key not in tasks:
            tasks[key] = bars.add_task(plain(what), total=total or None)
        bars.update(tasks[key], description=plain(what), completed=done, total=total or None)

    return show


def _lines(console: Console) -> Callable[[str, int, int], None]:
    """A line for what is new, and every few seconds for what goes on."""
    last = ("", 0.0)

    def show(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if what != last[0] or now - last[1] > EVERY or done == total > 0:
            last = (what, now)
            console.print(f"depthub: {plain(what)}" + (f" {done}/{total}" if total else ""), markup=False, soft_wrap=True)

    return show
