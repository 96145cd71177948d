"""SHA-256 of files, stored in the cache folder, so that an unchanged file is read once only."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from depthub.errors import DepthubError
from depthub.system.activity import tell
from depthub.system.files import OFF, PLACE, cache_folder

NAME = "digests.sqlite"
FRESH = 2 * 10**9  # nanoseconds: a file that has just changed may change again within one tick of its file system's clock
_PIECE = 500  # files of one query; an interruption loses no more
_HANDFUL = 25  # files that a thread takes at a time
_BLOCK = 2**20  # bytes read at a time
_WAIT = 1.0  # seconds for other processes that write; then the file is read once more
_TROUBLE = (sqlite3.Error, OSError)  # of a damaged or missing cache: the digests are computed
_TABLE = "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, state TEXT NOT NULL, sha256 TEXT NOT NULL)"


class _Entry(NamedTuple):
    """The cache's entry for a file: its state when it was hashed, and its digest."""

    state: str
    sha256: str


def file_sha256(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file's content.

    A stored digest is used while the file's path, size, inode and both times (of the last change of its content and of its entry) are the
    same. Where the cache is off, read-only, damaged or full, the file is read.

    Raises:
        DepthubError: if it cannot be read, or is not a regular file; a pipe is refused at once, it could block for ever.
    """
    return files_sha256([path])[0]


def files_sha256(paths: Sequence[Path]) -> list[str]:
    """`file_sha256` for many files, in the order of the paths, with few queries.

    Raises:
        DepthubError: as `file_sha256` does, for the first file that cannot be read.
    """
    digests = list[str]()
    for start in range(0, len(paths), _PIECE):
        if start:
            tell("hashing files", start, len(paths))
        digests += _digests(paths[start : start + _PIECE])
    return digests


def _digests(paths: Sequence[Path]) -> list[str]:
    """Look the digests up, compute the missing ones, and store those of files that nobody is writing."""
    keys = [os.fsencode(path.absolute()) for path in paths]
    stats = [_stat(path) for path in paths]
    states = [_state(one) for one in stats]
    now, entries = time.time_ns(), _find(keys)
    digests = {key: entries[key].sha256 for key, state in zip(keys, states, strict=True) if key in entries and entries[key].state == state}
    missing = {key: row for row, key in enumerate(keys) if key not in digests}
    digests |= dict(zip(missing, _hashed([paths[row] for row in missing.values()]), strict=True))
    settled = {key: row for key, row in missing.items() if now - max(stats[row].st_mtime_ns, stats[row].st_ctime_ns) >= FRESH}
    _store({key: _Entry(states[row], digests[key]) for key, row in settled.items() if _state(_stat(paths[row])) == states[row]})
    return [digests[key] for key in keys]


def _stat(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise DepthubError(f"cannot read {path}: not a regular file; expected a file with content")
    return status


def _state(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def _hashed(paths: Sequence[Path]) -> Iterable[str]:
    """Digests of the files' contents; with several threads, since reading and hashing happen outside of Python's lock."""
    if len(paths) <= _HANDFUL:
        return _contents_sha256(paths)
    handfuls = [paths[start : start + _HANDFUL] for start in range(0, len(paths), _HANDFUL)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return [sha256 for digests in threads.map(_contents_sha256, handfuls) for sha256 in digests]


def _contents_sha256(paths: Sequence[Path]) -> list[str]:
    return [_content_sha256(path) for path in paths]


def _content_sha256(path: Path) -> str:
    try:
        with path.open("rb", buffering=0) as file:  # for small files half the time of hashlib.file_digest
            total = hashlib.sha256()
            while block := file.read(_BLOCK):
                total.update(block)
            return total.hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DepthubError:
    reason = error.strerror if isinstance(error, OSError) else error
    return DepthubError(f"cannot read {path}: {reason}; expected a file that you may read")


def _find(keys: Sequence[bytes]) -> dict[bytes, _Entry]:
    """The cache's entries for these files; none where the cache fails."""
    with suppress(*_TROUBLE), _database("ro") as database:
        places = ",".join("?" * len(keys))
        rows = database.execute(f"SELECT path, state, sha256 FROM files WHERE path IN ({places})", keys).fetchall()
        return {path: _Entry(state, sha256) for path, state, sha256 in rows if isinstance(sha256, str) and len(sha256) == 64}
    return {}


def _store(entries: Mapping[bytes, _Entry]) -> None:
    """Store digests, if the cache can be written."""
    if not entries:
        return
    with suppress(*_TROUBLE), _database("rwc") as database:
        database.execute(_TABLE)
        database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", [(key, *entry) for key, entry in entries.items()])


@contextmanager
def _database(mode: str) -> Iterator[sqlite3.Connection]:
    """The cache's file for one transaction; closed afterwards, so that forked processes share no connection.

    Args:
        mode: "ro" to read; "rwc" to write, and to create the file if there is none.

    Raises:
        OSError: where the cache is off.
    """
    if os.environ.get(PLACE) == OFF:
        raise FileNotFoundError("the cache is off")
    if mode == "rwc":
        cache_folder().mkdir(parents=True, exist_ok=True)
    address = f"{(cache_folder() / NAME).absolute().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(address, timeout=_WAIT, uri=True)) as connection, connection:
        yield connection
