"""What `depthub run` shows of results; and a command line whose runs are done, answered without loading what the command would load."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from depthub.records.result import RunResult
from depthub.running import recall
from depthub.system import launch
from depthub.values.text import plain

arguments: ContextVar[tuple[str, ...]] = ContextVar("arguments", default=())  # the command line of `depthub run` that is carried out
UNKEPT = ("--force", "--help", "-h", "--print_config", "--executor")  # what begins an option that asks for more than finished runs


def at_once(args: Sequence[str]) -> int | None:
    """Show the runs of a command line that was done before; None where the long way has to be gone.

    Args:
        args: of `depthub run`.
    """
    if launch.place()[1] > 1:  # processes that share runs decide together
        return None
    if any(arg.replace("-", "_").startswith(tuple(option.replace("-", "_") for option in UNKEPT)) for arg in args):
        return None
    results = recall.answer(request(args))
    if results is None:
        return None
    show(results, set(range(len(results))))
    return 0


def request(args: Sequence[str]) -> dict[str, Any]:
    """A command line as `recall` keeps it."""
    return {"command": "run", "args": list(args)}


def named_files(args: Sequence[str]) -> list[Path]:
    """The files among the arguments, configurations for example."""
    values = [arg.rpartition("=")[2] for arg in args]
    return [path for value in values if value and len(value) < 4096 and (path := Path(value)).is_file()]


def show(results: Sequence[RunResult], on_disk: set[int]) -> None:
    """Print the scores and where the run files are.

    Args:
        results: that differ in their seeds.
        on_disk: indices of those that were found done.
    """
    from rich.console import Console

    from depthub.cli.table import table

    console = Console(highlight=False)
    for warning in dict.fromkeys(warning for result in results for warning in result.warnings):
        print(f"depthub: warning: {plain(warning)}", file=sys.stderr)
    console.print(table(results))
    for index, result in enumerate(results):
        path = (result.folder or Path()) / "run.json"
        line = f"already done: {path} (use --force to run again)" if index in on_disk else str(path)
        console.print(plain(line), soft_wrap=True, markup=False)
