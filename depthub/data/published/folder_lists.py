"""Lists of the pictures in class folders, kept in the cache folder: a million files are listed once and not in every run."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from depthub.errors import DepthubError
from depthub.identity.file_digests import FRESH
from depthub.system.files import OFF, PLACE, atomic_write, cache_folder

FOLDER = "lists"  # below the cache folder
SUFFIX = ".list"
_enabled: ContextVar[bool] = ContextVar("lists", default=True)
State = tuple[str, int, int, int, int]  # path, size, times of change of content and entry in nanoseconds, inode


@contextmanager
def enabled(value: bool) -> Iterator[None]:
    """Within it, lists are kept and used, or not."""
    token = _enabled.set(value)
    try:
        yield
    finally:
        _enabled.reset(token)


def states(folders: Sequence[Path]) -> tuple[State, ...]:
    """The states of files or folders: a state changes whenever a name in the folder does."""
    return tuple(_state(path) for path in folders)


def _state(path: Path) -> State:
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def by_folder(above: Path, inside: Sequence[Path], read: Callable[[Path], list[str]]) -> dict[str, list[str]]:
    """The names in each folder, by the folder's name; kept on disk while all folders are unchanged.

    Args:
        above: the folder above them; it has one list.
        inside: the folders.
        read: gives the names in a folder.
    """
    before = states(inside)
    if not _enabled.get() or os.environ.get(PLACE) == OFF:
        return {folder.name: read(folder) for folder in inside}
    path = cache_folder() / FOLDER / f"{hashlib.sha256(os.fsencode(above.absolute())).hexdigest()}{SUFFIX}"
    stored = _stored(path, before)
    if stored is not None:
        return dict(zip((folder.name for folder in inside), stored, strict=True))
    names = {folder.name: read(folder) for folder in inside}
    newest = max((max(state[2:4]) for state in before), default=0)
    if time.time_ns() - newest >= FRESH and states(inside) == before:  # a folder may change twice within one tick of its clock
        with suppress(DepthubError):  # a list only saves time
            atomic_write(path, _document(names, before))
    return names


def _document(names: Mapping[str, list[str]], states_: Sequence[State]) -> bytes:
    r"""The content of a list: a line of JSON with two SHA-256, then the names, with \0 between names and / between folders.

        {"state": "5f1e...", "sha256": "09ab..."}
        1.jpg\02.jpg/1.jpg/7.jpg\08.jpg\09.jpg

    No name of a file contains \0 or /.
    """
    body = b"/".join(os.fsencode("\0".join(of_folder)) for of_folder in names.values())
    return json.dumps(_header(body, states_)).encode() + b"\n" + body


def _stored(path: Path, states_: Sequence[State]) -> list[list[str]] | None:
    """The names in each folder; None if there is no such list, it is damaged, or a folder has changed."""
    try:
        header, _, body = path.read_bytes().partition(b"\n")
        if json.loads(header) != _header(body, states_):
            return None
    except (OSError, ValueError, RecursionError):
        return None
    return [of_folder.split("\0") if of_folder else [] for of_folder in os.fsdecode(body).split("/")]


def _header(body: bytes, states_: Sequence[State]) -> dict[str, str]:
    """The first line of a list: SHA-256 of the folders' states and of the names."""
    return {"state": hashlib.sha256(json.dumps(states_).encode()).hexdigest(), "sha256": hashlib.sha256(body).hexdigest()}
