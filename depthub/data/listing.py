"""What folders hold: which names count, what is in a file's place, and which of many listed files are there."""

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
from depthub.errors import DepthubError

FOLDER, ABSENT = "a folder", "not there"
NOWHERE, CIRCLE = "a link that leads nowhere", "a link that leads in a circle"
# What operating systems, network drives and tools put beside other people's files, in lower case. Names with a dot in front are hidden.
LEFT_BEHIND = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "$recycle.bin", "system volume information"),
        *("__macosx", "lost+found", "__pycache__"),
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
    }
)
_KINDS = (
    (stat.S_ISDIR, FOLDER),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_UNFIT = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, bytes that are not UTF-8, line breaks
_DRIVE = re.compile(r"[A-Za-z]:")
TINY = 1024  # bytes: so short are pointers in the place of pictures, and hardly a picture


def visible(name: str) -> bool:
    """Whether a file or folder counts: those that are hidden never do, nor what systems and tools leave behind."""
    return not name.startswith(".") and name.casefold() not in LEFT_BEHIND


def children(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds that is `visible`, by name.

    Raises:
        DepthubError: if the folder cannot be read, or holds a name that is not UTF-8 or has control characters.
    """
    try:
        with os.scandir(folder) as entries:
            inside = sorted((entry for entry in entries if visible(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise DepthubError(f"cannot read folder {folder}: {error.strerror}; allow yourself to read it, or move it away") from error
    for entry in inside:
        if not clean(entry.name):
            raise DepthubError(f"{folder} holds {entry.name!a}, a name that is not UTF-8 or has control characters: rename it")
    return inside


def subfolders(folder: Path) -> list[Path]:
    """The visible folders in a folder, by name, links to folders among them.

    Raises:
        DepthubError: as `children` does, and for a link that leads to nothing: it may be a folder that is missed.
    """
    paths = [folder / entry.name for entry in children(folder)]
    kinds = [kind(path) for path in paths]
    for path, what in zip(paths, kinds, strict=True):
        if what in (NOWHERE, CIRCLE):
            raise DepthubError(f"{path} is {what}: put back what it should lead to, or remove it")
    return [path for path, what in zip(paths, kinds, strict=True) if what == FOLDER]


def clean(name: str) -> bool:
    """Whether a name can be written as UTF-8, and in one line."""
    return (name.isascii() and name.isprintable()) or not any(unicodedata.category(character) in _UNFIT for character in name)


def kind(path: Path) -> str:
    """What is in the place of a file, in words; empty for a regular file. Links are followed."""
    return examined(path)[0]


def examined(path: Path) -> tuple[str, int]:
    """What `kind` says, and the size in bytes; nothing is opened, so that a pipe does not wait."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (NOWHERE if path.is_symlink() else ABSENT), 0
    except OSError as error:
        return (CIRCLE if error.errno == errno.ELOOP else f"unreadable ({error.strerror})"), 0
    except ValueError:  # a NUL in the name
        return "no name of a file", 0
    if stat.S_ISREG(found.st_mode):
        return "", found.st_size
    return next((words for test, words in _KINDS if test(found.st_mode)), "no regular file"), found.st_size


def strange(path: str) -> bool:
    """Whether a path in a list is not relative with `/` between names: absolute, with a drive or a backslash, or with `.`, `..` or `//`."""
    return "\\" in path or bool(_DRIVE.match(path)) or not {"", ".", ".."}.isdisjoint(path.split("/"))


PLAIN_PATHS = "paths must be relative, with / between names and without backslashes, //, ./ or .."


@dataclass
class Presence:
    """What a folder holds of the files that it should hold.

    Args:
        missing: paths of which there is nothing.
        misspelt: path to the path on disk, where they differ in upper and lower case only.
        empty: paths of files without content.
        unfit: path to what is in its place, as in "it is ...": a folder, a pipe, a pointer to content that is elsewhere.
    """

    missing: list[str] = field(default_factory=list)
    misspelt: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    unfit: dict[str, str] = field(default_factory=dict)


class Listing:
    """The names below a folder, as they are spelt on disk, read when first asked for.

    Args:
        folder: paths are relative to it, with `/` between names.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: dict[str, dict[str, str]] = {}

    def presence(self, paths: Iterable[str]) -> Presence:
        """Look for files.

        Raises:
            DepthubError: if a folder on the way cannot be read.
        """
        made = Presence()
        for path in paths:
            found = self.spelt(path)
            if found is None:
                made.missing.append(path)
            elif found != path:
                made.misspelt[path] = found
            else:
                self._examine(path, made)
        return made

    def spelt(self, path: str) -> str | None:
        """A path as it is spelt on disk; None if there is none, whatever the case."""
        above, _, name = path.rpartition("/")
        parent = self.spelt(above) if above else ""
        if parent is None:
            return None
        names = self._listed(parent)
        found = names.get(name) or names.get(name.casefold())
        return found and f"{parent}/{found}".lstrip("/")

    def _examine(self, path: str, made: Presence) -> None:
        what, size = examined(self.folder / path)
        if what in (NOWHERE, ABSENT):
            made.missing.append(path)
        elif what:
            made.unfit[path] = what
        elif size == 0:
            made.empty.append(path)
        elif size < TINY and (what := described(_head(self.folder / path))):
            made.unfit[path] = what

    def _listed(self, folder: str) -> dict[str, str]:
        """Names in a folder; each is also found by its lower case."""
        if folder not in self._names:
            place = self.folder / folder
            try:
                names = sorted(os.listdir(place)) if kind(place) == FOLDER else []  # noqa: PTH208 - ten times as fast as Path.iterdir
            except OSError as error:
                raise DepthubError(f"cannot read folder {place}: {error.strerror}; allow yourself to read it") from error
            self._names[folder] = {name.casefold(): name for name in names} | {name: name for name in names}
        return self._names[folder]


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LENGTH)
    except OSError:  # whoever reads the picture says why not
        return b"?"
