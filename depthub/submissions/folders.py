"""The folders of a board: its own runs, and its submissions."""

from __future__ import annotations

from pathlib import Path

from depthub.boards import left_out
from depthub.errors import DepthubError
from depthub.records.entries import RUNS
from depthub.records.result import RunResult
from depthub.records.store import Store

SUBMISSIONS, SIGNERS = "submissions", "allowed_signers"


def folders(folder: Path) -> list[Path]:
    place = folder / SUBMISSIONS
    return sorted(path for path in place.iterdir() if not path.name.startswith(".")) if place.is_dir() else []


def own_runs(folder: Path) -> tuple[list[RunResult], list[dict[str, str]]]:
    """The board's own runs, and those of them that cannot be used."""
    place = (folder / RUNS).absolute()
    outcomes = list(Store(place).scan())
    unreadable = [left_out(outcome, place) for outcome in outcomes if isinstance(outcome, DepthubError)]
    return [outcome for outcome in outcomes if isinstance(outcome, RunResult)], unreadable
