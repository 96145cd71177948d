"""Leaderboards: rows, averages and tables of finished runs, from their files alone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from depthub.boards.build import board
from depthub.boards.markdown import markdown
from depthub.errors import DepthubError
from depthub.records import schema
from depthub.records.document import dumps
from depthub.records.entries import folder_of_runs
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.statistics.averages import CONVENTION, Convention
from depthub.system.files import atomic_write
from depthub.values.text import plain, short

__all__ = ["board", "left_out", "load_board", "markdown", "of_folder", "readable", "write"]

LONGEST = 300  # characters of a reason


def of_folder(runs: Path, title: str, how: Convention = CONVENTION) -> dict[str, Any]:
    """The leaderboard of all runs at a place.

    Args:
        runs: a folder of run folders and packed files, a board's folder, or a packed file. An unreadable run is left out and listed in
            the document.
        title: of the board.
        how: average of harmonic scores over data sets.

    Raises:
        DepthubError: if nothing is there, or none of the runs can be used.
    """
    results, unreadable = readable(runs)
    return board(results, title, how, unreadable)


def readable(runs: Path) -> tuple[list[RunResult], list[dict[str, str]]]:
    """All runs at a place; `file` and `reason` of each that cannot be read.

    Args:
        runs: as for `of_folder`.

    Raises:
        DepthubError: if nothing is there, or none of the runs can be used.
    """
    if not runs.exists():
        raise DepthubError(f"no folder {runs}; give the folder that holds the runs (`depthub run --runs FOLDER` fills one)")
    place = runs.absolute()
    outcomes = list(Store(place).scan())
    results = [outcome for outcome in outcomes if isinstance(outcome, RunResult)]
    unreadable = [left_out(outcome, place) for outcome in outcomes if isinstance(outcome, DepthubError)]
    if unreadable and not results:
        raise DepthubError(f"none of {len(unreadable)} runs in {runs} can be used; the first: {unreadable[0]['reason']}")
    if not results:
        raise DepthubError(f"no run files in {runs}: expected {runs}/<run id>/run.json, or packed runs {runs}/<method>.jsonl")
    return results, unreadable


def load_board(path: Path | str) -> dict[str, Any]:
    """A leaderboard document that was written before.

    Args:
        path: a `leaderboard.json`, or its folder; or the name of a board that comes with depthub, such as "embedded".

    Raises:
        DepthubError: if there is none, or it does not fit the schema.
    """
    shipped = _shipped()
    file = shipped.get(str(path)) or (Path(path) / "leaderboard.json" if Path(path).is_dir() else Path(path))
    try:
        document: dict[str, Any] = json.loads(file.read_bytes())
    except OSError as error:
        raise DepthubError(f"cannot read {file}: {error.strerror or error}; `depthub leaderboard build` writes such a file") from error
    except (ValueError, RecursionError) as error:
        raise DepthubError(f"{file} is not JSON") from error
    schema.validate(document, "leaderboard", str(file))
    return document


def _shipped() -> dict[str, Path]:
    """The boards that come with depthub by name; in a clone they are links into `leaderboards`."""
    return {path.stem: path for path in (Path(__file__).parent / "shipped").glob("*.json")}


def write(document: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write `leaderboard.json` and `leaderboard.md` into a folder.

    Returns:
        The two files.

    Raises:
        DepthubError: if the document does not fit the schema, or cannot be written.
    """
    schema.validate(document, "leaderboard", "leaderboard")
    json_file = atomic_write(folder / "leaderboard.json", dumps(document))
    return json_file, atomic_write(folder / "leaderboard.md", markdown(document).encode())


def left_out(error: DepthubError, place: Path) -> dict[str, str]:
    """The run's folder, or file and line, with the fault; without the place of the runs on this machine."""
    private = f"{folder_of_runs(place)}{os.sep}"
    file = re.split(f"{re.escape(os.sep)}|: ", str(error).partition(private)[2])[0]
    return {"file": plain(file), "reason": short(plain(str(error).replace(private, "")), LONGEST)}
