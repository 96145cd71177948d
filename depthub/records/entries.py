"""The finished runs at a place, unread: run folders, and lines of packed files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from depthub.errors import DepthubError
from depthub.records.document import StoredRun, read_stored
from depthub.records.packed import SUFFIX, packed_runs

FILE = "run.json"
HISTORY = "history.jsonl"  # of a run, beside its document; its name ends like those of packed files
INTERIM = "tested-*.part"  # of an unfinished run, beside its checkpoints; the star stands for the number of the training
BOARD, RUNS = "leaderboard.json", "runs"  # a board's folder has this file, and its runs in this folder


class Entry(Protocol):
    """A finished run at a place; `run_id` is the one that it is named by."""

    @property
    def run_id(self) -> str: ...

    def read(self, *, recount: bool = True) -> StoredRun:
        """The run with every check.

        Raises:
            DepthubError: if it is damaged.
        """


@dataclass(frozen=True)
class FolderRun:
    """A run's folder.

    Args:
        folder: named by the run's id.
    """

    folder: Path

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.folder.name

    def read(self, *, recount: bool = True) -> StoredRun:
        """The run, if it is the one that the folder is named by.

        Raises:
            DepthubError: if it is another one, or damaged.
        """
        path = self.folder / FILE
        try:
            stored = read_stored(path, recount=recount)
        except OSError as error:
            raise DepthubError(f"cannot read {path}: {error.strerror or error}") from error
        run_id = stored.result.spec.run_id
        if run_id != self.run_id:
            raise DepthubError(f"{path}: the folder is named for another run than the {run_id[:12]}... in it; remove the copy")
        return stored


@dataclass(frozen=True)
class DamagedFile:
    """A packed file without a usable first line.

    Args:
        error: the reason.
    """

    error: DepthubError
    run_id: str = ""

    def read(self, *, recount: bool = True) -> StoredRun:
        """Nothing.

        Raises:
            DepthubError: always.
        """
        raise self.error


def entries(place: Path) -> list[Entry]:
    """All finished runs at a place, by run id.

    Args:
        place: a folder of run folders and packed files, a board's folder, or a packed file; nothing has to be there.

    Raises:
        DepthubError: if the folder cannot be read.
    """
    if _is_packed_file(place):
        return sorted(_lines(place), key=lambda entry: entry.run_id)
    folder = folder_of_runs(place)
    lines = [entry for file in packed_files(folder) for entry in _lines(file)]
    run_folders = [FolderRun(path) for path in _inside(folder) if _is_run(path)]
    return sorted([*run_folders, *lines], key=lambda entry: entry.run_id)


def folder_of_runs(place: Path) -> Path:
    """The folder that the runs at a place lie in: `runs` of a board's folder, the folder of a packed file, or the place itself."""
    if (place / BOARD).is_file() and (place / RUNS).is_dir():
        return place / RUNS
    return place.parent if _is_packed_file(place) else place


def packed_files(place: Path) -> list[Path]:
    """The packed files in a folder, by name.

    Raises:
        DepthubError: if it cannot be read.
    """
    return [path for path in _inside(place) if _is_packed_file(path) and not path.name.startswith(".")]


def _is_packed_file(place: Path) -> bool:
    return place.suffix == SUFFIX and place.name != HISTORY and not place.is_dir()


def _inside(place: Path) -> list[Path]:
    try:
        return sorted(place.iterdir()) if place.exists() else []
    except OSError as error:
        raise DepthubError(f"cannot read {place}: {error.strerror or error}") from error


def _lines(file: Path) -> Iterator[Entry]:
    try:
        yield from packed_runs(file)
    except DepthubError as error:
        yield DamagedFile(error)


def _is_run(folder: Path) -> bool:
    """Whether this is a folder with a run's document, or a link that may be meant as one; the reader names what is wrong with it."""
    path = folder / FILE
    try:
        present = path.exists() or path.is_symlink()
        return (folder.is_dir() and present) or (folder.is_symlink() and not _is_packed_file(folder))
    except OSError:
        return True
