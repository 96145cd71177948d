"""The scores at the end of `depthub run`; and a command line whose runs are done, answered without loading plugins or torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from depthub.records.result import RunResult
from depthub.running import recall
from depthub.system import launch, provenance
from depthub.values.text import plain

BEYOND = (
    "--force",
    "--help",
    "-h",
    "--print_config",
    "--executor",
    "--from",
)  # beginnings of options for which finished runs are not enough


def at_once(args: Sequence[str]) -> int | None:
    """Show the finished runs of a command line.

    Args:
        args: of `depthub run`.

    Returns:
        The exit status; None if plugins have to be loaded to find or do the runs.
    """
    if launch.place()[1] > 1:  # processes that share runs decide together
        return None
    if any(arg.replace("-", "_").startswith(tuple(option.replace("-", "_") for option in BEYOND)) for arg in args):
        return None
    results = recall.answer(_request(args))
    if results is None:
        return None
    show(results, set(range(len(results))))
    return 0


def remember(results: Sequence[RunResult], places: list[Path] | None, class_names: Path | None) -> None:
    """Answer the command line in progress from disk next time, as long as no file that it depends on changes.

    Args:
        results: of its runs.
        places: files and folders that the numbers depend on; None where that is unknown.
        class_names: a file that it names.
    """
    if args := typed():
        files = [*_named_files(args), *([class_names] if class_names else [])]
        recall.keep(_request(args), results, None if places is None else [*places, *files])


def _request(args: Sequence[str]) -> dict[str, Any]:
    """A command line in the form of `recall`."""
    return {"command": "run", "args": list(args)}


def typed() -> tuple[str, ...]:
    """The arguments of the `depthub run` in progress."""
    return provenance.command.get()[1:]


def typed_options() -> list[str]:
    """The names of the options among them, without dashes."""
    return [arg[2:].partition("=")[0].replace("-", "_") for arg in typed() if arg.startswith("--")]


def _named_files(args: Sequence[str]) -> list[Path]:
    """The files among the arguments, such as configurations."""
    values = [arg.rpartition("=")[2] for arg in args]
    return [path for value in values if value and len(value) < 4096 and (path := Path(value)).is_file()]


def show(results: Sequence[RunResult], on_disk: set[int]) -> None:
    """Print scores and the paths of run files.

    Args:
        results: runs that differ in their seeds.
        on_disk: indices of runs that had been done before.
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
