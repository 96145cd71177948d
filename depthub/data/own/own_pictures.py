"""A user's own pictures as a data set: the common part of folders and lists."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from depthub.data import pictures
from depthub.data.dataset import Data, DataSet, Examples
from depthub.data.own.division import Division, Pictures
from depthub.data.own.naming import Naming
from depthub.data.reader import FolderReader
from depthub.identity.file_digests import files_sha256
from depthub.spec import digest


class OwnPictures(DataSet):
    """A user's own pictures; the labels are the class names unless the user gives others.

    The files are read once: after a change of the files, create another object.

    Args:
        name: the data set's name, with its path.
        space: name of its label space, without the path.
        read: reader of the pictures; their ids are paths below its root.
        naming: names of the classes.
        share: share of each class's pictures held out for testing if nothing divides them, in (0, 1); None: all of them, since the data
            set is for testing only.
    """

    augmentation: Literal["published", "none"] = "published"

    def __init__(self, name: str, space: str, read: FolderReader, naming: Naming, share: float | None) -> None:
        pictures.colour(read.background)  # a mistake in the colour is reported before anything is read
        self.name, self.space, self.read, self.naming, self.share = name, space, read, naming, share

    @abstractmethod
    def divide(self) -> Division:
        """The pictures by part and class; none is opened.

        Raises:
            DepthubError: if they are not arranged as expected.
        """

    @cached_property
    def division(self) -> Division:
        """The result of `divide`, which is called once."""
        return self.divide()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The names of the class folders, or the labels in the list; sorted."""
        return tuple(sorted(self.division.train))

    @cached_property
    def sha256(self) -> Mapping[str, str]:
        """SHA-256 of every picture's file, by id.

        Raises:
            DepthubError: for an unreadable file.
        """
        return dict(zip(self._ids, files_sha256([self.read.root / name for name in self._ids]), strict=True))

    @property
    def divides(self) -> bool:
        """Whether a share of each class is held out for testing, since nothing divides the pictures."""
        return self.division.by_share

    @property
    def canonical(self) -> Naming:
        """The naming in the one form that equal runs share."""
        return self.naming.canonical(self.labels, self.name)

    def places(self) -> list[Path]:
        """The files and folders behind the data set: the pictures, and every folder in which a new one could appear."""
        files = [self.read.root / name for name in self._ids]
        folders = {above for file in files for above in file.parents if above.is_relative_to(self.read.root)}
        return [Path(self.name.partition(":")[2]), *sorted(folders), *files]

    def load(self, root: Path | None = None) -> Data:
        """The list of the pictures. Every header is read, so that unreadable pictures are reported here."""
        data = self.unopened()
        notes = (*data.notes, *self._transparency(), *self.leaks(self, data.train, data.test))
        return replace(data, notes=notes)

    def unopened(self) -> Data:
        """The same as `load`, but no picture is opened.

        Raises:
            DepthubError: as `divide` does, and for class names without words or with the same words.
        """
        division = self.division
        classes = self.naming.classes(self.space, self.labels, self.name)
        parts = {part: self._examples(of_part) for part, of_part in division.parts.items()}
        notes = tuple(f"{self.space}: {note}" for note in division.notes)
        return Data(classes, parts["train"], parts["test"], parts.get("val"), notes)

    def digest(self, root: Path | None = None) -> str:
        """SHA-256 over names, contents and division of all pictures, independent of their place.

        Raises:
            DepthubError: as `divide` does, and for an unreadable file.
        """
        parts = self.division.parts
        return digest({part: {label: self._contents(names) for label, names in by_label.items()} for part, by_label in parts.items()})

    def _contents(self, names: Sequence[str]) -> list[list[str]]:
        """[name, SHA-256] of each picture."""
        return [[name, self.sha256[name]] for name in names]

    def leaks(self, source: OwnPictures, train: Examples, test: Examples) -> Iterator[str]:
        """A note if test pictures are training pictures under another name.

        Args:
            source: the data set of the training pictures.
            train: the training pictures, of `source`.
            test: the test pictures, of this data set.
        """
        trained = {source.sha256[name]: name for name in reversed(train.ids)}  # of equal pictures, the name of the first
        leaks = [name for name in test.ids if self.sha256[name] in trained]
        if leaks:
            are = "picture is also a training picture" if len(leaks) == 1 else "pictures are also training pictures"
            first = f"the first {leaks[0]}, which is {trained[self.sha256[leaks[0]]]} of {source.space}"
            yield f"{self.space}: {len(leaks)} test {are}, {first}"

    @cached_property
    def _ids(self) -> list[str]:
        return [name for part in self.division.parts.values() for names in part.values() for name in names]

    def _examples(self, by_class: Pictures) -> Examples:
        pairs = [(name, label) for label, class_name in enumerate(self.labels) for name in by_class[class_name]]
        return Examples(tuple(name for name, _ in pairs), tuple(label for _, label in pairs), self.read)

    def _transparency(self) -> Iterator[str]:
        """A note if pictures have transparent parts and no background is given."""
        transparent = [name for name in self._ids if _is_transparent(self.read, name, *_times(self.read.root / name))]
        if transparent and not self.read.background:
            have = "picture has" if len(transparent) == 1 else "pictures have"
            yield (
                f"{self.space}: {len(transparent)} {have} transparent parts (an alpha channel or a transparent colour), the first "
                f"{transparent[0]}; what lies beneath is shown; --background white lays them on white"
            )


def _times(path: Path) -> tuple[int, int]:
    """The times of the last change of a file's content and entry, in nanoseconds; 0 for a missing file."""
    try:
        status = path.stat()
    except OSError:  # the error when it is opened has the reason
        return 0, 0
    return status.st_mtime_ns, status.st_ctime_ns


@lru_cache(maxsize=100_000)
def _is_transparent(read: FolderReader, name: str, *_: int) -> bool:
    """Whether a picture has transparent parts, by its header; an unchanged header is read once per process.

    Args:
        read: reader of the data set.
        name: id of the picture.
        _: times of the file's last change, which are part of the cache's key.

    Raises:
        UnreadableImageError: if it is not a picture, or cannot be read correctly.
    """
    with pictures.opened(read.root / name, read.remedy) as picture:
        pictures.largest(picture)
        return pictures.transparent(picture)
