"""Your own pictures: `folder:PATH` with a sub-folder for each class."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from depthub.data.listing import ABSENT, FOLDER, children, kind, subfolders
from depthub.data.own.division import Division, Pictures, divided, named, part_of, require_parts
from depthub.data.own.naming import LABELS, Naming
from depthub.data.own.own_pictures import OwnPictures
from depthub.data.parts import Part
from depthub.data.pictures import SUFFIXES
from depthub.data.reader import FolderReader
from depthub.errors import DepthubError
from depthub.values.text import listed

EXPECTED = "train/<class>/* and test/<class>/*, or <class>/*"


class Folder(OwnPictures):
    """Pictures as `train/<class>/*` and `test/<class>/*`, or as `<class>/*` with a share of each class held out for testing.

    Each domain of `<domain>/<class>/*` is a folder of its own; all of them together are refused, with the command that uses them.
    The folders of the parts may be written in any case, and `val`, `valid` or `validation` beside them holds validation pictures; without
    `test` it is the test set. Hidden files and folders do not count, nor do those that systems leave behind.

    Args:
        path: the folder.
        test_fraction: share of each class's pictures, in (0, 1), that becomes the test set where there is no `train` and `test`. Which
            ones depends on the file names alone.
        background: colour that transparent parts are laid on, as Pillow names colours; empty: they show whatever colour lies beneath.
        naming: of the class folders.
        whole: without `train` and `test` all pictures are for testing, and none is held back.

    Raises:
        DepthubError: if there is no such colour.
    """

    def __init__(
        self, path: Path, test_fraction: float = 0.5, background: str = "", naming: Naming = LABELS, *, whole: bool = False
    ) -> None:
        read = FolderReader(path, background=background, remedy="replace the file or move it out of the data set's folder")
        space = f"folder:{(path.resolve() if path.name in ('', '..') else path).name}"
        super().__init__(f"folder:{path}", space, read, naming, None if whole else test_fraction)
        self.path = path

    def arranged(self) -> Division:
        self._require_folder()
        inside = subfolders(self.path)
        parts, unread = _parts(self.path, inside), list[str]()
        if not parts:
            made = divided(self._pictures(self.path, unread), self.share, str(self.path))
        else:
            others = [folder.name for folder in inside if folder not in parts.values()]
            self._require_parts(parts, others)
            unread += _loose(self.path, self.path)
            made = named({part: self._pictures(folder, unread) for part, folder in parts.items()}, str(self.path))
            if others:
                made = replace(made, notes=(*made.notes, f"folders beside the parts are not read: {listed(others)}"))
        return replace(made, notes=(*made.notes, *_unread(unread)))

    def _require_folder(self) -> None:
        what = kind(self.path)
        if what != FOLDER:
            found = "" if what == ABSENT else f", which is {what or 'a file'}"
            raise DepthubError(f"no folder {self.path}{found}; expected {EXPECTED}, below it")

    def _require_parts(self, parts: dict[Part, Path], others: list[str]) -> None:
        if others and len(parts) == 1:
            one = next(iter(parts.values())).name
            raise DepthubError(f"{self.path} holds {one} beside {listed(others)}; expected {EXPECTED}: move one or the other away")
        train = parts.get("train", self.path)
        remedy = f"put a folder test or val beside it, or give folder:{train}, which is divided then"
        require_parts(parts, str(self.path), remedy, trained=self.share is not None)

    def _pictures(self, folder: Path, unread: list[str]) -> Pictures:
        """Class name to the sorted names of its pictures, relative to the data set's folder; what is not read is added to `unread`."""
        classes = subfolders(folder)
        if len(classes) < 2:
            raise DepthubError(
                f"{folder} holds {len(classes)} class folders; expected at least 2, each named as its class and full of pictures"
            )
        _refuse_domains(folder, classes)
        found, above = dict[str, list[str]](), frozenset(map(_inode, [folder.resolve(), *folder.resolve().parents]))
        unread += _loose(folder, self.path)
        for child in classes:
            found[child.name] = []
            for path in _files(child, above):
                (found[child.name] if _is_picture(path.name) else unread).append(path.relative_to(self.path).as_posix())
            found[child.name].sort()
        if empty := [name for name, own in found.items() if not own]:
            raise DepthubError(
                f"class folders without images in {folder}: {', '.join(empty)}; add pictures ({', '.join(sorted(SUFFIXES))}) or remove them"
            )
        return found


def _parts(folder: Path, inside: Sequence[Path]) -> dict[Part, Path]:
    """The folders that are parts of a data set, by part; none where the folders are classes.

    A single folder with the name of a part that holds no folders, beside others, is a class: trains beside cars.
    """
    parts = dict[Part, Path]()
    for child in inside:
        if part := part_of(child.name):
            if part in parts:
                raise DepthubError(f"{folder} holds {parts[part].name} and {child.name}, the same part twice; rename or merge one of them")
            parts[part] = child
    others = len(inside) > len(parts)
    if len(parts) == 1 and others and not any(subfolders(child) for child in parts.values()):
        return {}
    return parts


def _refuse_domains(folder: Path, inside: Sequence[Path]) -> None:
    """Refuse `<domain>/<class>/*`: the domains would be taken for classes, and nothing tells them from classes that are divided further.

    That is what folders without pictures of their own look like, if they have two or more names of sub-folders in common.

    Raises:
        DepthubError: with the command that trains on one domain and tests on the others.
    """
    shared: set[str] | None = None
    for child in inside:
        within = {entry.name for entry in children(child) if kind(child / entry.name) == FOLDER}
        shared = within if shared is None else shared & within
        if len(shared) < 2 or _loose(child, child):
            return
    first, *others = [f"folder:{child}" for child in inside]
    command = ["depthub", "run", "--data", first, "--protocol", "DomainGeneralization", "--protocol.variants", json.dumps(others)]
    raise DepthubError(
        f"{folder} holds {listed([child.name for child in inside])}, and each of them {listed(sorted(shared or ()))}: if these are domains "
        f"with the same classes, train on one and test on all pictures of the others with `{shlex.join(command)}`; "
        "if they are classes, put their pictures directly into their folders, or list them (list:FILE.csv)"
    )


def _loose(folder: Path, root: Path) -> list[str]:
    """Pictures beside class folders, which belong to no class; relative to `root`."""
    return [
        (folder / entry.name).relative_to(root).as_posix()
        for entry in children(folder)
        if _is_picture(entry.name) and kind(folder / entry.name) != FOLDER
    ]


def _files(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """All visible files below a folder, whatever they are; links to folders are followed.

    Args:
        folder: where to look.
        above: the folders on the way to it, as `_inode` tells them.

    Raises:
        DepthubError: for a folder that cannot be read, that leads back to one above it, or that is named as a picture.
    """
    here = _inode(folder)
    if here in above:
        raise DepthubError(f"{folder} is a link back to a folder above it; remove the link")
    for entry in children(folder):
        path = folder / entry.name
        if kind(path) != FOLDER:
            yield path
        elif _is_picture(path.name):
            raise DepthubError(f"{path} is a folder with the name of a picture; rename it or move it away")
        else:
            yield from _files(path, above | {here})


def _inode(folder: Path) -> tuple[int, int]:
    """What tells a folder from all others, by whatever path it was reached."""
    state = folder.stat()
    return state.st_dev, state.st_ino


def _unread(names: Sequence[str]) -> Iterator[str]:
    """A note on files that are not read, if there are any."""
    if names:
        are = "file is" if len(names) == 1 else "files are"
        yield f"{len(names)} {are} not read: {listed(list(names))}; pictures lie in class folders and end in {', '.join(sorted(SUFFIXES))}"


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - there may be a million
