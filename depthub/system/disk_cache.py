"""Files that only save time, in one folder for all runs; those that were not used for longest go first."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rfc8785
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from depthub.errors import DepthubError, UnknownNameError
from depthub.spec import digest
from depthub.system.files import OFF, PLACE, atomic_write, cache_folder

LIMIT = "DEPTHUB_CACHE_LIMIT"  # environment variable: gigabytes
GIGABYTE = 10**9
_TENSOR = "rows"
_DAMAGE = (OSError, SafetensorError, KeyError, TypeError, ValueError)  # what reading a file of other bytes can raise
# The cache's own files, and what a killed writer of one leaves: nothing else in the folder is ever touched.
_OWN = re.compile(r"[0-9a-f]{16}-[0-9a-f]{64}\.safetensors|\.[0-9a-f]{16}-[0-9a-f]{64}\.safetensors\.[0-9a-f-]+\.tmp")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class File:
    """One file of the cache.

    Args:
        path: where it is.
        size: in bytes.
        used: when it was last read or written, in nanoseconds since 1970.
    """

    path: Path
    size: int
    used: int

    def description(self) -> dict[str, Any]:
        """What the file says that it holds, `kind` and `items`; empty if it cannot be read."""
        try:
            return _metadata(self.path)[0]
        except _DAMAGE:
            return {}


@dataclass(frozen=True)
class Cache:
    """Rows of numbers by name, kept on disk.

    A file holds rows of one kind, whose description is what the rows depend on besides their name. The file is named by the SHA-256 of
    its description, so that writers of the same rows write the same file and the last one wins; it is written whole or not at all, and
    its content is checked against a SHA-256 whenever it is read. The folder may go at any time.

    Args:
        folder: of the files; made when the first is written.
        limit: bytes that all files together may take.
    """

    folder: Path
    limit: float

    @classmethod
    def here(cls) -> Cache | None:
        """The cache that the environment names, by default 10 GB in the user's cache folder; None if it is off.

        Raises:
            DepthubError: if the limit is no number.
        """
        limit = os.environ.get(LIMIT, "10")
        try:
            most = float(limit) * GIGABYTE
        except ValueError:
            most = -1.0
        if not most >= 0:
            raise DepthubError(f"{LIMIT} is {limit!r}, expected gigabytes, for example 10")
        return None if os.environ.get(PLACE) == OFF else cls(cache_folder() / "features", most)

    def find(self, kind: Mapping[str, Any], wanted: Set[str]) -> dict[str, npt.NDArray[Any]]:
        """Those of the wanted rows that are there, by name. A damaged file is removed, with a line in the log."""
        found: dict[str, npt.NDArray[Any]] = {}
        for path in self._listed(_prefix(kind)):
            if left := wanted - found.keys():
                found.update(self._read(path, left))
        return found

    def add(self, kind: Mapping[str, Any], items: Sequence[str], rows: npt.NDArray[Any]) -> None:
        """Keep rows (N, d) under their N names. Where nothing can be written the run goes on, with a line in the log."""
        rows = np.ascontiguousarray(rows)  # safetensors writes an array's memory as it lies
        description: dict[str, Any] = {"kind": dict(kind), "items": list(items)}
        metadata = {"description": rfc8785.dumps(description).decode(), "sha256": _sha256(rows)}
        try:
            atomic_write(self.folder / _name(description), save({_TENSOR: rows}, metadata))
            self._keep_to_the_limit()
        except (DepthubError, OSError) as error:
            _say_once(f"depthub: image features are not kept for later runs: {error}")

    def _listed(self, prefix: str) -> list[Path]:
        """Files whose names begin so; none where the folder may not be read."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - Path.iterdir reports errors late
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            _say_once(f"depthub: image features of earlier runs are not read: {self.folder}: {error.strerror or error}")
            return []
        return [self.folder / name for name in sorted(names) if name.startswith(prefix) and _OWN.fullmatch(name)]

    def files(self) -> list[File]:
        """Every file of the cache, the one that was not used for longest first."""
        found = []
        for path in self._listed(""):
            with suppress(FileNotFoundError):  # another process has just removed it
                state = path.stat()
                found.append(File(path, state.st_size, state.st_mtime_ns))
        return sorted(found, key=lambda file: (file.used, file.path.name))

    def clear(self, data: str = "") -> list[File]:
        """Remove all files, or those of one data set; returns what was removed.

        Raises:
            DepthubError: if nothing of that data set is there, or the system refuses.
        """
        by_data = [(file.description().get("kind", {}).get("data", ""), file) for file in self.files()]
        chosen = [file for name, file in by_data if data in ("", name)]
        if data and not chosen:
            raise UnknownNameError("data set in the cache:", data, {name for name, _ in by_data if name})
        for file in chosen:
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                raise DepthubError(f"cannot remove {file.path}: {error.strerror or error}") from error
        return chosen

    def _read(self, path: Path, wanted: Set[str]) -> dict[str, npt.NDArray[Any]]:
        try:
            description, sha256 = _metadata(path)
            places = {name: row for row, name in enumerate(description["items"]) if name in wanted}
            if not places:
                return {}
            with safe_open(path, "np") as file:
                rows: npt.NDArray[Any] = file.get_tensor(_TENSOR)
            if path.name != _name(description) or sha256 != _sha256(rows) or len(rows) != len(description["items"]):
                raise ValueError("its content is not what it should be")
        except FileNotFoundError:  # another process has just removed it
            return {}
        except _DAMAGE as error:
            _log.warning("depthub: damaged image features are made again: %s (%s)", path, error)
            with suppress(OSError):
                path.unlink()
            return {}
        with suppress(OSError):  # a cache that may only be read
            os.utime(path)
        return {name: rows[row] for name, row in places.items()}

    def _keep_to_the_limit(self) -> None:
        files = self.files()
        excess = sum(file.size for file in files) - self.limit
        for file in files:
            if excess <= 0:
                break
            file.path.unlink(missing_ok=True)
            excess -= file.size


def _metadata(path: Path) -> tuple[dict[str, Any], str]:
    """A file's description, and the SHA-256 of its rows."""
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    return json.loads(metadata["description"]), metadata["sha256"]


def _name(description: Mapping[str, Any]) -> str:
    return f"{_prefix(description['kind'])}-{digest(description)}.safetensors"


def _prefix(kind: Mapping[str, Any]) -> str:
    """What the names of all files of a kind begin with: they are found without opening others."""
    return digest(kind)[:16]


def _sha256(rows: npt.NDArray[Any]) -> str:
    return hashlib.sha256(f"{rows.dtype} {rows.shape} ".encode() + rows.tobytes()).hexdigest()


@cache
def _say_once(line: str) -> None:
    """In the log, which is stderr unless the program says otherwise, once a process."""
    _log.warning(line)
