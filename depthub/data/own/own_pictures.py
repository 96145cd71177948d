"""Pictures of one's own as a data set: what a folder and a list of files have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
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
    """Pictures of a user's own, whose class names are the labels unless the user names them.

    How they are arranged, and what they hold, is found out once: make another for what may have changed.

    Args:
        name: the data set's name, with its path.
        space: name of its label space, without places.
        read: of the pictures; their ids are paths below its root.
        naming: of the classes.
        share: of each class's pictures held out for testing where nothing says which are for what, in (0, 1); None: all are, since the
            data set is for testing only.
    """

    augmentation: Literal["published", "none"] = "published"

    def __init__(self, name: str, space: str, read: FolderReader, naming: Naming, share: float | None) -> None:
        pictures.colour(read.background)  # a colour that does not exist is told before anything else
        self.name, self.space, self.read, self.naming, self.share = name, space, read, naming, share

    @abstractmethod
    def arranged(self) -> Division:
        """The pictures by part and class; none is opened.

        Raises:
            DepthubError: if they are not arranged as they should be.
        """

    @cached_property
    def division(self) -> Division:
        """The pictures by part and class, as `arranged` finds them."""
        return self.arranged()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What tells the classes apart where they lie: names of folders, or labels of a list; sorted."""
        return tuple(sorted(self.division.train))

    @cached_property
    def sha256(self) -> Mapping[str, str]:
        """SHA-256 of every picture's file, by id.

        Raises:
            DepthubError: for a file that cannot be read.
        """
        return dict(zip(self._ids, files_sha256([self.read.root / name for name in self._ids]), strict=True))

    @property
    def divides(self) -> bool:
        """Whether it holds a share of each class out for testing, since nothing else says which pictures are for what."""
        return self.division.by_fraction

    @property
    def canonical(self) -> Naming:
        """The naming in the one spelling that equal runs share."""
        return self.naming.canonical(self.labels, self.name)

    def places(self) -> list[Path]:
        """The files and folders that it is read from: the pictures, and every folder whose change could add one."""
        pictures = [self.read.root / name for name in self._ids]
        folders = {above for picture in pictures for above in picture.parents if above.is_relative_to(self.read.root)}
        return [Path(self.name.partition(":")[2]), *sorted(folders), *pictures]

    def load(self, root: Path | None = None) -> Data:
        """The list of the pictures, of which every header is read: what is no picture, or none that can be read rightly, is named here."""
        data = self.unopened()
        notes = (*data.notes, *self._transparency(), *self.leaks(self, data.train, data.test))
        return replace(data, notes=notes)

    def unopened(self) -> Data:
        """What `load` gives, with no picture opened.

        Raises:
            DepthubError: as `arranged` does, and for class names that are no words or the same words.
        """
        made = self.division
        classes = self.naming.classes(self.space, self.labels, self.name)
        parts = {part: self._examples(own) for part, own in made.parts.items()}
        return Data(classes, parts["train"], parts["test"], parts.get("val"), tuple(f"{self.space}: {note}" for note in made.notes))

    def digest(self, root: Path | None = None) -> str:
        """SHA-256 over names, contents and division of all pictures, wherever they lie.

        Raises:
            DepthubError: as `arranged` does, and for a file that cannot be read.
        """
        parts = self.division.parts.items()
        return digest({part: {label: [[name, self.sha256[name]] for name in own] for label, own in held.items()} for part, held in parts})

    def leaks(self, source: OwnPictures, train: Examples, test: Examples) -> Iterator[str]:
        """A note if test pictures are training pictures under another name.

        Args:
            source: the data set of the training pictures.
            train: of `source`.
            test: of this one.
        """
        trained = {source.sha256[name]: name for name in reversed(train.ids)}
        both = [name for name in test.ids if self.sha256[name] in trained]
        if both:
            are = "picture is also a training picture" if len(both) == 1 else "pictures are also training pictures"
            yield f"{self.space}: {len(both)} test {are}, the first {both[0]}, which is {trained[self.sha256[both[0]]]} of {source.space}"

    @cached_property
    def _ids(self) -> list[str]:
        return [name for part in self.division.parts.values() for pictures in part.values() for name in pictures]

    def _examples(self, own: Pictures) -> Examples:
        pairs = [(picture, label) for label, name in enumerate(self.labels) for picture in own[name]]
        return Examples(tuple(p for p, _ in pairs), tuple(label for _, label in pairs), self.read)

    def _transparency(self) -> Iterator[str]:
        """A note if pictures have transparent parts and nothing says what lies behind them."""
        found = [name for name in self._ids if _header(self.read, name, *_state(self.read.root / name))]
        if found and not self.read.background:
            have = "picture has" if len(found) == 1 else "pictures have"
            yield (
                f"{self.space}: {len(found)} {have} transparent parts (an alpha channel or a transparent colour), the first {found[0]}; "
                "what lies beneath is shown; --background white lays them on white"
            )


def _state(path: Path) -> tuple[int, int]:
    """When a file's content and entry were changed, in nanoseconds; 0 where there is none."""
    try:
        found = path.stat()
    except OSError:  # opening it says what is wrong
        return 0, 0
    return found.st_mtime_ns, found.st_ctime_ns


@lru_cache(maxsize=100_000)
def _header(read: FolderReader, name: str, *_: int) -> bool:
    """Whether a picture has transparent parts, as its header says; in a process that loads a data set again it is read once.

    Raises:
        UnreadableImageError: for what is no picture, or none that can be read rightly.
    """
    with pictures.opened(read.root / name, read.remedy) as picture:
        pictures.largest(picture)
        return pictures.transparent(picture)
