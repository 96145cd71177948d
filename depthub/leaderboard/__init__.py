"""Leaderboards: rows, averages and tables, made from run files alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from depthub import schema
from depthub.errors import DepthubError
from depthub.files import atomic_write
from depthub.leaderboard.aggregate import CONVENTION, Convention
from depthub.leaderboard.build import board
from depthub.leaderboard.markdown import markdown
from depthub.store import Store, dumps

__all__ = ["board", "markdown", "of_folder", "write"]


def of_folder(runs: Path, title: str, how: Convention = CONVENTION) -> dict[str, Any]:
    """The leaderboard of all runs in a folder, harmonic scores averaged over data sets in one of two ways.

    Raises:
        DepthubError: if the folder is missing or empty, or a file in it is damaged.
    """
    if not runs.is_dir():
        raise DepthubError(f"no folder {runs}; give the folder that holds the runs (`depthub run --runs FOLDER` fills one)")
    results = list(Store(runs).results())
    if not results:
        raise DepthubError(f"no run files in {runs}: expected {runs}/<run id>/run.json")
    return board(results, title, how)


def write(made: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write `leaderboard.json` and `leaderboard.md` into a folder.

    Returns:
        The two files.
    """
    schema.validate(made, "leaderboard", "leaderboard")
    return atomic_write(folder / "leaderboard.json", dumps(made)), atomic_write(folder / "leaderboard.md", markdown(made).encode())
