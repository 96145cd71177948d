"""What interrupted work leaves in a store, and its removal."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from depthub.records import failures
from depthub.records.entries import HISTORY, INTERIM
from depthub.records.store import EARLIER, FILE
from depthub.running import claims, packs
from depthub.running.claims import Claims

EXECUTORS = ".executors"  # in the folder of runs: a folder for each execution by an executor that keeps logs
TEMPORARY = ".*.tmp"  # names of files that `atomic_write` was writing


@dataclass(frozen=True)
class Leftover:
    """A file or folder that no finished run needs.

    Args:
        path: of it.
        reason: why it is not needed.
    """

    path: Path
    reason: str

    @property
    def size(self) -> int:
        """In bytes, with everything inside."""
        files = [self.path] if self.path.is_file() else self.path.rglob("*")
        with suppress(OSError):
            return sum(file.stat().st_size for file in files if file.is_file())
        return 0

    def remove(self) -> None:
        """Remove it, if it is still there."""
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.path.unlink(missing_ok=True)


def leftovers(root: Path, *, unfinished: bool = False, earlier: bool = False) -> Iterator[Leftover]:
    """What interrupted work has left; nothing of runs that a process does now.

    Args:
        root: of the store.
        unfinished: also runs without a result, their checkpoints and the records of failures.
        earlier: also results that later ones have replaced.
    """
    active = Claims(root).active()
    if not active:
        yield from (Leftover(path, "logs of an executor that has ended") for path in (root / EXECUTORS).glob("*"))
    for folder in sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else ():
        if folder.name == packs.FOLDER:
            yield from (Leftover(inside, "packs of a process that has ended") for inside in folder.iterdir() if inside.name not in active)
        elif folder.name not in active and not folder.name.startswith("."):
            yield from _of_run(folder, unfinished, earlier)


def collect(root: Path, items: list[Leftover]) -> None:
    """Remove leftovers, lost claims and empty folders.

    Args:
        root: of the store.
        items: from `leftovers`.
    """
    for leftover in items:
        leftover.remove()
    Claims(root).remove_lost()
    for name in (packs.FOLDER, claims.FOLDER, EXECUTORS):
        with suppress(OSError):
            (root / name).rmdir()


def _of_run(folder: Path, unfinished: bool, earlier: bool) -> Iterator[Leftover]:
    is_run = any(any(folder.glob(name)) for name in (FILE, "tuned-*", INTERIM, failures.FILE, HISTORY, TEMPORARY))
    if not is_run and any(folder.iterdir()):
        return  # not ours
    yield from (Leftover(path, "half-written by a process that has ended") for path in folder.glob(TEMPORARY))
    if (folder / FILE).is_file():
        yield from (Leftover(path, "tests of a training that has ended since") for path in folder.glob(INTERIM))
        if (folder / failures.FILE).is_file():
            yield Leftover(folder / failures.FILE, "the run has succeeded since")
        yield from (Leftover(path, "replaced by a later result") for path in (folder.glob(f"{EARLIER}*") if earlier else ()))
    elif unfinished or not any(folder.iterdir()):
        yield Leftover(folder, "a run without a result")
