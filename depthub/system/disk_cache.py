"""On-disk cache of image features, least recently used evicted first."""

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
_DAMAGE = (OSError, SafetensorError, KeyError, TypeError, ValueError)  # raised for a file of other bytes
# The cache's own files, and temporary files of killed writers: no other file in the folder is ever touched.
_OWN = re.compile(r"[0-9a-f]{16}-[0-9a-f]{64}\.safetensors|\.[0-9a-f]{16}-[0-9a-f]{64}\.safetensors\.[0-9a-f-]+\.tmp")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class File:
    """One file of the cache.

    Args:
        path: of the file.
        size: in bytes.
        used: time of the last reading or writing, in nanoseconds since 1970.
    """

    path: Path
    size: int
    used: int

    def description(self) -> dict[str, Any]:
        """`kind` and `items` of the file's rows; empty if it cannot be read."""
        try:
            return _metadata(self.path)[0]
        except _DAMAGE:
            return {}


@dataclass(frozen=True)
class Cache:
    """Rows of numbers by name, on disk.

    A file holds rows of one kind, which is a mapping of everything besides their names that the rows depend on. It is named
    `KIND-DESCRIPTION.safetensors`, with the first 16 digits of the SHA-256 of the kind and the whole SHA-256 of kind and names: writers of
    the same rows write the same file, and the last one wins. It is written whole or not at all, and its rows are compared with a SHA-256
    whenever they are read. It is safe to delete the folder at any time.

    Args:
        folder: of the files; made when the first is written.
        limit: bytes for all files together.
    """

    folder: Path
    limit: float

    @classmethod
    def here(cls) -> Cache | None:
        """The cache that the environment names, by default 10 GB in the user's cache folder; None if it is off.

        Raises:
            DepthubError: if the limit is not a number.
        """
        gigabytes = os.environ.get(LIMIT, "10")
        try:
            limit = float(gigabytes) * GIGABYTE
        except ValueError:
            limit = -1.0
        if not limit >= 0:  # NaN fails this, too
            raise DepthubError(f"{LIMIT} is {gigabytes!r}, expected gigabytes, for example 10")
        return None if os.environ.get(PLACE) == OFF else cls(cache_folder() / "features", limit)

    def find(self, kind: Mapping[str, Any], names: Set[str]) -> dict[str, npt.NDArray[Any]]:
        """The rows with these names, as far as the cache has them. A damaged file is removed, with a line in the log."""
        rows: dict[str, npt.NDArray[Any]] = {}
        for path in self._listed(_prefix(kind)):
            if missing := names - rows.keys():
                rows.update(self._read(path, missing))
        return rows

    def add(self, kind: Mapping[str, Any], items: Sequence[str], rows: npt.NDArray[Any]) -> None:
        """Store rows (N, d) under their N names. Where nothing can be written the run goes on, with a line in the log."""
        rows = np.ascontiguousarray(rows)  # safetensors writes an array's memory as it is laid out
        description: dict[str, Any] = {"kind": dict(kind), "items": list(items)}
        metadata = {"description": rfc8785.dumps(description).decode(), "sha256": _sha256(rows)}
        try:
            atomic_write(self.folder / _name(description), save({_TENSOR: rows}, metadata))
            self._evict()
        except (DepthubError, OSError) as error:
            _say_once(f"depthub: image features are not kept for later runs: {error}")

    def _listed(self, prefix: str) -> list[Path]:
        """Files whose names have this prefix; none where the folder cannot be read."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - Path.iterdir reports errors late
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            _say_once(f"depthub: image features of earlier runs are not read: {self.folder}: {error.strerror or error}")
            return []
        return [self.folder / name for name in sorted(names) if name.startswith(prefix) and _OWN.fullmatch(name)]

    def files(self) -> list[File]:
        """Every file of the cache, the least recently used first."""
        files = []
        for path in self._listed(""):
            with suppress(FileNotFoundError):  # another process has just removed it
                state = path.stat()
                files.append(File(path, state.st_size, state.st_mtime_ns))
        return sorted(files, key=lambda file: (file.used, file.path.name))

    def clear(self, data: str = "") -> list[File]:
        """Remove files, and return them.

        Args:
            data: name of a data set whose files are removed; empty: all files are.

        Raises:
            DepthubError: if there are no files of that data set, or the system refuses.
        """
        by_data = [(file.description().get("kind", {}).get("data", ""), file) for file in self.files()]
        files = [file for name, file in by_data if data in ("", name)]
        if data and not files:
            raise UnknownNameError("data set in the cache:", data, {name for name, _ in by_data if name})
        for file in files:
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                raise DepthubError(f"cannot remove {file.path}: {error.strerror or error}") from error
        return files

    def _read(self, path: Path, names: Set[str]) -> dict[str, npt.NDArray[Any]]:
        try:
            description, sha256 = _metadata(path)
            places = {name: row for row, name in enumerate(description["items"]) if name in names}
            if not places:
                return {}
            with safe_open(path, "np") as file:
                rows: npt.NDArray[Any] = file.get_tensor(_TENSOR)
            if path.name != _name(description) or sha256 != _sha256(rows) or len(rows) != len(description["items"]):
                raise ValueError("its rows do not match their SHA-256 or the file's name")
        except FileNotFoundError:  # another process has just removed it
            return {}
        except _DAMAGE as error:
            _log.warning("depthub: damaged image features are made again: %s (%s)", path, error)
            with suppress(OSError):
                path.unlink()
            return {}
        with suppress(OSError):  # a read-only cache
            os.utime(path)
        return {name: rows[row] for name, row in places.items()}

    def _evict(self) -> None:
        """Remove the least recently used files beyond the limit."""
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
    """Start of the names of all files of a kind: they are found without opening others."""
    return digest(kind)[:16]


def _sha256(rows: npt.NDArray[Any]) -> str:
    return hashlib.sha256(f"{rows.dtype} {rows.shape} ".encode() + rows.tobytes()).hexdigest()


@cache
def _say_once(line: str) -> None:
    """Write a line to the log once per process; the log is stderr unless the program says otherwise."""
    _log.warning(line)
