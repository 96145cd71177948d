"""The runs of a board in packed files, one per method and head."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from depthub.boards.labels import row_label
from depthub.errors import DepthubError
from depthub.records.document import StoredRun
from depthub.records.entries import FolderRun, entries
from depthub.records.packed import SUFFIX, pack
from depthub.records.store import Store
from depthub.system.files import atomic_write

LONGEST = 100  # characters of a file's name


def pack_runs(runs: Path, folder: Path) -> list[Path]:
    """Write the usable runs of a folder into another one, packed: `CoOp.jsonl`, `CoOp+DePT.jsonl`; the same runs give the same bytes.

    Args:
        runs: the folder of the runs, or another place that `Store` reads.
        folder: for the packed files.

    Returns:
        The files.

    Raises:
        DepthubError: if the folder holds other runs, which would stay beside the packed ones, or cannot be written.
    """
    by_name: dict[str, list[StoredRun]] = {}
    for run in Store(runs).stored():
        if isinstance(run, StoredRun):
            by_name.setdefault(_file_name(run), []).append(run)
    _require_no_others(folder, by_name)
    return [atomic_write(folder / name, pack(stored)) for name, stored in sorted(by_name.items())]


def _file_name(run: StoredRun) -> str:
    """The label of the run's method and head as a name that every file system can hold."""
    label = re.sub(r"[^\w+-]+", "", row_label(run.result.spec.as_dict()))
    return f"{label[:LONGEST] or 'runs'}{SUFFIX}"


def _require_no_others(folder: Path, names: Iterable[str]) -> None:
    others = {entry.folder for entry in entries(folder) if isinstance(entry, FolderRun)}
    others |= {path for path in folder.glob(f"*{SUFFIX}") if path.name not in set(names)}
    if others:
        raise DepthubError(
            f"{folder} holds {min(others).name}, which would stay beside the packed runs; move it away, or choose another folder"
        )
