"""Names of pictures in class folders, kept in the cache folder, so that a million files are not listed in every run."""

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
_used: ContextVar[bool] = ContextVar("lists", default=True)
State = tuple[str, int, int, int, int]


@contextmanager
def used(whether: bool) -> Iterator[None]:
    """Within it, lists are kept and found, or not."""
    token = _used.set(whether)
    try:
        yield
    finally:
        _used.reset(token)


def states(folders: Sequence[Path]) -> tuple[State, ...]:
    """What changes when a name in one of these files or folders does: path, size, both times in nanoseconds, inode."""
    return tuple(
        (str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino) for path in folders for found in [path.stat()]
    )


def by_folder(above: Path, inside: Sequence[Path], read: Callable[[Path], list[str]]) -> dict[str, list[str]]:
    """What `read` gives of each folder, by the folder's name; kept while all of them are as they were.

    Args:
        above: the folder that holds them; there is one list for it.
        inside: folders.
        read: names of the files that count in a folder.
    """
    before = states(inside)
    if not _used.get() or os.environ.get(PLACE) == OFF:
        return {folder.name: read(folder) for folder in inside}
    path = cache_folder() / FOLDER / f"{hashlib.sha256(os.fsencode(above.absolute())).hexdigest()}{SUFFIX}"
    kept = _kept(path, before)
    if kept is not None:
        return dict(zip((folder.name for folder in inside), kept, strict=True))
    made = {folder.name: read(folder) for folder in inside}
    newest = max((max(state[2:4]) for state in before), default=0)
    if time.time_ns() - newest >= FRESH and states(inside) == before:  # what has just changed may change again unseen
        with suppress(DepthubError):  # it only saves time
            atomic_write(path, _written(made, before))
    return made


def _written(names: Mapping[str, list[str]], state: Sequence[State]) -> bytes:
    """A line of JSON with state and SHA-256, then the names: NUL between them and / between folders, which no name holds."""
    body = b"/".join(os.fsencode("\0".join(own)) for own in names.values())
    return json.dumps(_header(body, state)).encode() + b"\n" + body


def _kept(path: Path, state: Sequence[State]) -> list[list[str]] | None:
    """The names in each folder; None if there is no such list, it is damaged, or a folder has changed."""
    try:
        header, _, body = path.read_bytes().partition(b"\n")
        if json.loads(header) != _header(body, state):
            return None
    except (OSError, ValueError, RecursionError):
        return None
    return [own.split("\0") if own else [] for own in os.fsdecode(body).split("/")]


def _header(body: bytes, state: Sequence[State]) -> dict[str, str]:
    said = json.dumps(state).encode()
    return {"state": hashlib.sha256(said).hexdigest(), "sha256": hashlib.sha256(body).hexdigest()}
