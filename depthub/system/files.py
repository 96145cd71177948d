"""Files that are written whole or not at all, and the folder for caches."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import platformdirs

from depthub.errors import DepthubError

PLACE, OFF = "DEPTHUB_CACHE", "off"  # environment variable: the cache folder, or the word that turns caching off


def cache_folder() -> Path:
    """The folder for files that only save time: `DEPTHUB_CACHE`, or the user's cache folder; "off" stands for the latter."""
    place = os.environ.get(PLACE, "")
    return Path(platformdirs.user_cache_dir("depthub", appauthor=False) if place in ("", OFF) else place)


def atomic_write(path: Path, data: bytes) -> Path:
    """Write a file so that a reader sees all of the old bytes or all of the new ones, also after a crash or an interruption.

    Args:
        path: the file; missing folders above it are made.
        data: its new content.

    Returns:
        `path`.

    Raises:
        DepthubError: if the system refuses (permissions, a full disk).
    """
    # No other writer has this name, on this machine or on one that shares the disk.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_through(temporary, data)
            temporary.replace(path)
        except BaseException:  # also Ctrl-C: nothing half-written stays behind
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise DepthubError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def is_file(path: Path) -> bool:
    """Whether there is such a file; there is none under a name that no file can have."""
    with contextlib.suppress(OSError, ValueError):
        return path.is_file()
    return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; there is none under a name that no folder can have."""
    with contextlib.suppress(OSError, ValueError):
        return path.is_dir()
    return False


def require_writable(folder: Path, option: str) -> None:
    """Notice a folder that cannot be written before the work whose results go there, not after.

    Args:
        folder: it need not exist.
        option: that names another one.

    Raises:
        DepthubError: if the system would refuse.
    """
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise DepthubError(f"cannot write into {place}, where the results go; choose another folder with {option}")


def _write_through(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system can (Windows cannot open folders)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
