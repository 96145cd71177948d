"""Leaderboards: rows, averages and tables, made from run files alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from depthub.boards.build import board
from depthub.boards.markdown import markdown
from depthub.errors import DepthubError
from depthub.records import schema
from depthub.records.document import dumps
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.statistics.averages import CONVENTION, Convention
from depthub.system.files import atomic_write
from depthub.values.text import plain, short

__all__ = ["board", "markdown", "of_folder", "write"]

LONGEST = 300  # characters of a reason


def of_folder(runs: Path, title: str, how: Convention = CONVENTION) -> dict[str, Any]:
    """The leaderboard of all runs in a folder, harmonic scores averaged over data sets in one of two ways.

    A run that cannot be read is left out and listed in the document.

    Raises:
        DepthubError: if the folder is missing, or none of its runs can be used.
    """
    if not runs.is_dir():
        raise DepthubError(f"no folder {runs}; give the folder that holds the runs (`depthub run --runs FOLDER` fills one)")
    place = runs.absolute()
    outcomes = list(Store(place).scan())
    results = [outcome for outcome in outcomes if isinstance(outcome, RunResult)]
    left_out = [_left_out(outcome, place) for outcome in outcomes if isinstance(outcome, DepthubError)]
    if left_out and not results:
        raise DepthubError(f"none of {len(left_out)} runs in {runs} can be used; the first: {left_out[0]['reason']}")
    if not results:
        raise DepthubError(f"no run files in {runs}: expected {runs}/<run id>/run.json")
    return board(results, title, how, left_out)


def write(made: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write `leaderboard.json` and `leaderboard.md` into a folder.

    Returns:
        The two files.

    Raises:
        DepthubError: if the document does not fit the schema, or cannot be written.
    """
    schema.validate(made, "leaderboard", "leaderboard")
    return atomic_write(folder / "leaderboard.json", dumps(made)), atomic_write(folder / "leaderboard.md", markdown(made).encode())


def _left_out(error: DepthubError, place: Path) -> dict[str, str]:
    """The run's folder and what is wrong with it, without the place of the runs on this machine."""
    private = f"{place}{os.sep}"
    file = str(error).partition(private)[2].partition(os.sep)[0]
    return {"file": plain(file), "reason": short(plain(str(error).replace(private, "")), LONGEST)}
