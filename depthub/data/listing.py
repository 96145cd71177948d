"""The content of folders: visible names, obstacles in a file's place, and the presence of listed files."""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from depthub.data.signature import LENGTH, described
from depthub.data.skipped_files import visible
from depthub.errors import DepthubError

FOLDER, ABSENT = "a folder", "not there"
DANGLING, CIRCLE = "a link that leads nowhere", "a link that leads in a circle"
PLAIN_PATHS = "paths must be relative, with / between names and without backslashes, //, ./ or .."
_KINDS = (
    (stat.S_ISDIR, FOLDER),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, bytes that are not UTF-8, line breaks
_DRIVE = re.compile(r"[A-Za-z]:")
TINY = 1024  # bytes; a smaller file may be a pointer to a picture, and is hardly a picture


def children(folder: Path) -> list[os.DirEntry[str]]:
    """The `visible` entries of a folder, by name.

    Raises:
        DepthubError: if the folder cannot be read, or has a name that is not UTF-8 or has control characters.
    """
    try:
        with os.scandir(folder) as entries:
            inside = sorted((entry for entry in entries if visible(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise DepthubError(f"cannot read folder {folder}: {error.strerror}; allow yourself to read it, or move it away") from error
    for entry in inside:
        if not is_printable(entry.name):
            raise DepthubError(f"{folder} holds {entry.name!a}, a name that is not UTF-8 or has control characters: rename it")
    return inside


def subfolders(folder: Path) -> list[Path]:
    """The visible folders in a folder, by name, with links to folders.

    Raises:
        DepthubError: as `children` does, and for a dangling link, which may stand for a missing folder.
    """
    paths = [folder / entry.name for entry in children(folder)]
    kinds = [kind(path) for path in paths]
    for path, kind_ in zip(paths, kinds, strict=True):
        if kind_ in (DANGLING, CIRCLE):
            raise DepthubError(f"{path} is {kind_}: put back what it should lead to, or remove it")
    return [path for path, kind_ in zip(paths, kinds, strict=True) if kind_ == FOLDER]


def is_printable(name: str) -> bool:
    """Whether a name can be written as UTF-8, and in one line."""
    return (name.isascii() and name.isprintable()) or not any(unicodedata.category(character) in _UNPRINTABLE for character in name)


def is_plain_path(path: str) -> bool:
    """Whether a path in a list keeps to `PLAIN_PATHS`: "cat/1.jpg" does, "/data/cat/1.jpg", "C:cat", "cat\\1.jpg" and "./1.jpg" do not."""
    return "\\" not in path and not _DRIVE.match(path) and {"", ".", ".."}.isdisjoint(path.split("/"))


def kind(path: Path) -> str:
    """The obstacle in the place of a file, in words such as "a folder"; empty for a regular file. Links are followed."""
    return kind_and_size(path)[0]


def kind_and_size(path: Path) -> tuple[str, int]:
    """The `kind`, and the size in bytes; the file is not opened, so that a pipe does not wait."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return (DANGLING if path.is_symlink() else ABSENT), 0
    except OSError as error:
        return (CIRCLE if error.errno == errno.ELOOP else f"unreadable ({error.strerror})"), 0
    except ValueError:  # a NUL in the name
        return "not the name of a file", 0
    if stat.S_ISREG(status.st_mode):
        return "", status.st_size
    return next((words for test, words in _KINDS if test(status.st_mode)), "not a regular file"), status.st_size


@dataclass
class Presence:
    """The presence of listed files in a folder.

    Args:
        missing: paths without a file.
        other_case: path to the path on disk, where they differ in upper and lower case only.
        empty: paths of files without content.
        unfit: path to the obstacle in its place, as the end of "it is ...": a folder, a pipe, a pointer to content elsewhere.
    """

    missing: list[str] = field(default_factory=list)
    other_case: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    unfit: dict[str, str] = field(default_factory=dict)


class Listing:
    """The names below a folder as they are on disk; each folder is read once, when it is first needed.

    Args:
        folder: base of all paths, which have `/` between names.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: dict[str, dict[str, str]] = {}

    def presence(self, paths: Iterable[str]) -> Presence:
        """Look for files.

        Raises:
            DepthubError: if a folder on the way cannot be read.
        """
        presence = Presence()
        for path in paths:
            on_disk = self.on_disk(path)
            if on_disk is None:
                presence.missing.append(path)
            elif on_disk != path:
                presence.other_case[path] = on_disk
            else:
                self._examine(path, presence)
        return presence

    def on_disk(self, path: str) -> str | None:
        """A path with its names as on disk: "cat/1.jpg" may be "Cat/1.JPG" there; None if it is missing in any case."""
        above, _, name = path.rpartition("/")
        parent = self.on_disk(above) if above else ""
        if parent is None:
            return None
        names = self._names_in(parent)
        name_on_disk = names.get(name) or names.get(name.casefold())
        return name_on_disk and f"{parent}/{name_on_disk}".lstrip("/")

    def _examine(self, path: str, presence: Presence) -> None:
        obstacle, size = kind_and_size(self.folder / path)
        if obstacle in (DANGLING, ABSENT):
            presence.missing.append(path)
        elif obstacle:
            presence.unfit[path] = obstacle
        elif size == 0:
            presence.empty.append(path)
        elif size < TINY and (description := described(_head(self.folder / path))):
            presence.unfit[path] = description

    def _names_in(self, folder: str) -> dict[str, str]:
        """The names in a folder, each under itself and under its lower case."""
        if folder not in self._names:
            path = self.folder / folder
            try:
                names = sorted(os.listdir(path)) if kind(path) == FOLDER else []  # noqa: PTH208 - ten times as fast as Path.iterdir
            except OSError as error:
                raise DepthubError(f"cannot read folder {path}: {error.strerror}; allow yourself to read it") from error
            self._names[folder] = {name.casefold(): name for name in names} | {name: name for name in names}
        return self._names[folder]


def _head(path: Path) -> bytes:
    """The first bytes of a file; of an unreadable one any text, since the reader of the picture reports the reason."""
    try:
        with path.open("rb") as file:
            return file.read(LENGTH)
    except OSError:
        return b"?"
