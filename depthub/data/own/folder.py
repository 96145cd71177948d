"""Your own pictures: `folder:PATH` with a sub-folder for each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from depthub.data.listing import ABSENT, FOLDER, children, kind, subfolders
from depthub.data.own.division import Division, Pictures, divide_by_names, divide_by_share, part_of, require_parts
from depthub.data.own.domains import loose_pictures, refuse_domains
from depthub.data.own.naming import LABELS, Naming
from depthub.data.own.own_pictures import OwnPictures
from depthub.data.parts import Part
from depthub.data.picture_formats import SUFFIXES, is_picture
from depthub.data.reader import FolderReader
from depthub.errors import DepthubError
from depthub.values.text import listed

EXPECTED = "train/<class>/* and test/<class>/*, or <class>/*"


class Folder(OwnPictures):
    """Pictures as `train/<class>/*` and `test/<class>/*`, or as `<class>/*` with a share of each class held out for testing.

    Each domain of `<domain>/<class>/*` is a folder of its own; the tree of all domains is refused, with the options for its use.
    The names of the parts may be in any case. `val`, `valid` or `validation` beside them has the validation pictures; without `test` it
    is the test set. `depthub.data.skipped_files` lists the files that are skipped.

    Args:
        path: the folder.
        test_fraction: share of each class's pictures, in (0, 1), for the test set if there is no `train` and `test`. The choice depends
            on the file names alone.
        background: colour behind transparent parts, by a name of Pillow; empty: the colour that the file stores there.
        naming: names for the class folders.
        whole: without `train` and `test`, all pictures are for testing.

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

    def divide(self) -> Division:
        self._require_folder()
        inside = subfolders(self.path)
        parts = _parts(self.path, inside)
        skipped: list[str] = []
        if not parts:
            division = divide_by_share(self._pictures(self.path, skipped), self.share, str(self.path))
        else:
            others = [folder.name for folder in inside if folder not in parts.values()]
            self._require_parts(parts, others)
            skipped += loose_pictures(self.path)
            division = divide_by_names({part: self._pictures(folder, skipped) for part, folder in parts.items()}, str(self.path))
            if others:
                division = replace(division, notes=(*division.notes, f"folders beside the parts are not read: {listed(others)}"))
        return replace(division, notes=(*division.notes, *_skipped_note(skipped)))

    def _require_folder(self) -> None:
        obstacle = kind(self.path)
        if obstacle != FOLDER:
            there = "" if obstacle == ABSENT else f", which is {obstacle or 'a file'}"
            raise DepthubError(f"no folder {self.path}{there}; expected {EXPECTED}, below it")

    def _require_parts(self, parts: dict[Part, Path], others: list[str]) -> None:
        if others and len(parts) == 1:
            name = next(iter(parts.values())).name
            raise DepthubError(f"{self.path} holds {name} beside {listed(others)}; expected {EXPECTED}: move one or the other away")
        train = parts.get("train", self.path)
        remedy = f"put a folder test or val beside it, or give folder:{train}, which is divided then"
        require_parts(parts, str(self.path), remedy, trained=self.share is not None)

    def _pictures(self, folder: Path, skipped: list[str]) -> Pictures:
        """The pictures of each class folder, relative to the data set's folder; other files are appended to `skipped`."""
        classes = subfolders(folder)
        if len(classes) < 2:
            raise DepthubError(
                f"{folder} holds {len(classes)} class folders; expected at least 2, each named as its class and full of pictures"
            )
        refuse_domains(folder, classes)
        skipped += [self._relative(folder / name) for name in loose_pictures(folder)]
        above = frozenset(map(_inode, [folder.resolve(), *folder.resolve().parents]))
        pictures: dict[str, list[str]] = {}
        for child in classes:
            files = list(_files(child, above))
            pictures[child.name] = sorted(self._relative(path) for path in files if is_picture(path.name))
            skipped += [self._relative(path) for path in files if not is_picture(path.name)]
        if empty := [name for name, of_class in pictures.items() if not of_class]:
            raise DepthubError(
                f"class folders without images in {folder}: {', '.join(empty)}; add pictures ({', '.join(sorted(SUFFIXES))}) or remove them"
            )
        return pictures

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()


def _parts(folder: Path, inside: Sequence[Path]) -> dict[Part, Path]:
    """The folders that are parts of a data set, by part; none if the folders are classes.

    A single folder with the name of a part and without folders in it, beside others, is a class: trains beside cars.
    """
    parts: dict[Part, Path] = {}
    for child in inside:
        if part := part_of(child.name):
            if part in parts:
                raise DepthubError(f"{folder} holds {parts[part].name} and {child.name}, the same part twice; rename or merge one of them")
            parts[part] = child
    others = len(inside) > len(parts)
    if len(parts) == 1 and others and not any(subfolders(child) for child in parts.values()):
        return {}
    return parts


def _files(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """All visible files below a folder, of any kind; links to folders are followed.

    Args:
        folder: the folder.
        above: the `_inode` of every folder on the way to it.

    Raises:
        DepthubError: for an unreadable folder, a link back to a folder above, and a folder with the name of a picture.
    """
    inode = _inode(folder)
    if inode in above:
        raise DepthubError(f"{folder} is a link back to a folder above it; remove the link")
    for entry in children(folder):
        path = folder / entry.name
        if kind(path) != FOLDER:
            yield path
        elif is_picture(path.name):
            raise DepthubError(f"{path} is a folder with the name of a picture; rename it or move it away")
        else:
            yield from _files(path, above | {inode})


def _inode(folder: Path) -> tuple[int, int]:
    """The identity of a folder, the same on every path to it."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _skipped_note(names: Sequence[str]) -> Iterator[str]:
    """A note on skipped files, if there are any."""
    if names:
        are = "file is" if len(names) == 1 else "files are"
        yield f"{len(names)} {are} not read: {listed(names)}; pictures lie in class folders and end in {', '.join(sorted(SUFFIXES))}"
