"""The published data sets, read where their users have them; nothing is ever written there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from depthub.data.dataset import Data, DataSet, Examples
from depthub.data.listing import Listing, subfolders, visible
from depthub.data.parts import Part
from depthub.data.pictures import SUFFIXES
from depthub.data.published import folder_lists, imagenet, splits
from depthub.data.published.cards import DatasetCard
from depthub.data.published.splits import Row, Split
from depthub.data.reader import FolderReader
from depthub.data.signature import described
from depthub.errors import DepthubError, nearest
from depthub.types import ClassSet
from depthub.values.text import listed


@dataclass(frozen=True)
class Place:
    """Where a data set lies: its directory, with its lists, and the folder that the paths of its images are relative to."""

    directory: Path
    images: Path


_Version = tuple[Place, tuple[folder_lists.State, ...]]


class OnDisk(DataSet):
    """A published data set in the folders that its users have.

    Args:
        card: what is known of it.
    """

    def __init__(self, card: DatasetCard) -> None:
        self.card, self.name = card, card.name
        self.aliases = tuple(sorted({card.title, *card.aliases, *(directory for directory, _ in card.places)} - {card.name}))
        self._digests: dict[_Version, str] = {}
        self._last: tuple[_Version, Split] | None = None

    def load(self, root: Path | None = None) -> Data:
        card, place = self.card, self.place(root)
        split = self._listed(place)
        self.digest(root)  # while the list is there
        self._last = None  # its images are in what is loaded
        if card.layout in ("split", "lists") and (faults := splits.faults(split)):
            raise DepthubError(f"{self._list(place)} cannot be used: {'; '.join(faults)}{self._source(place)}")
        self._require_images(split, place)
        names = tuple(split.names.values())
        classes = ClassSet(
            card.space or self.name, split.ids or tuple(range(len(names))), names, card.template, tuple(card.templates.items())
        )
        read = FolderReader(place.images, remedy=f"unpack it again, or {card.by_hand}" if card.by_hand else "unpack it again")
        train, val, test = (
            Examples(tuple(path for path, _, _ in rows), tuple(label for _, label, _ in rows), read) for rows in split.parts.values()
        )
        return Data(classes, train, test, val if val.ids else None, tuple(self._notes(split, place)), card.targets, card.variants)

    def digest(self, root: Path | None = None) -> str:
        """SHA-256 of the list of images, as `splits.canonical_sha256` computes it."""
        place = self.place(root)
        version = self._version(place)
        if version not in self._digests:  # a list of a million images takes seconds, and runs ask several times
            self._digests[version] = splits.canonical_sha256(self._listed(place))
        return self._digests[version]

    def _version(self, place: Place) -> _Version:
        """What changes when the list of images does."""
        return place, folder_lists.states(self._sources(place))

    def _listed(self, place: Place) -> Split:
        """What `split` gives, read once for the digest and for loading."""
        version = self._version(place)
        if self._last is None or self._last[0] != version:
            self._last = version, self.split(place)
        return self._last[1]

    def sources(self, root: Path | None = None) -> list[Path]:
        """The files and folders that the list of images is made of.

        Raises:
            DepthubError: if the data set is not there.
        """
        return self._sources(self.place(root))

    def place(self, root: Path | None) -> Place:
        """Where the data set lies below the data root.

        Raises:
            DepthubError: if it is not there; the message says what is there instead.
        """
        if root is None:
            raise DepthubError(f"data set {self.name!r} lies on disk; give --data_root DIR, the folder that holds {self.card.directory}/")
        places = [Place(root / directory, root / directory / images) for directory, images in self.card.places]
        for place in places:
            if all(folder.is_dir() for folder in self._image_folders(place)):
                return place
        raise DepthubError(self._absence(root, places[0]))

    def split(self, place: Place) -> Split:
        """The images and labels as they are listed there, whether they make sense or not.

        Raises:
            DepthubError: if a list cannot be read, or a folder is not one of a class.
        """
        if self.card.layout == "split":
            return splits.read(self._list(place), self.card)
        if self.card.layout == "lists":
            return self._from_lists(place)
        return self._from_folders(place)

    def split_file(self, place: Place) -> Path:
        """The data set's split file: its own, or else the one that was fetched, or else where its own should be."""
        own, fetched = place.directory / self.card.split_file, splits.fetched() / self.card.split_file
        return fetched if fetched.is_file() and not own.exists() else own

    def _list(self, place: Place) -> Path:
        return self.split_file(place) if self.card.layout == "split" else place.directory / self.card.class_list

    def _source(self, place: Place) -> str:
        return f"; {splits.source(self.card, self._list(place))}" if self.card.layout == "split" else ""

    def _image_folders(self, place: Place) -> list[Path]:
        inner = self.card.parts.values() if self.card.layout in ("folders", "numbered") else ["."]
        return [place.images / folder for folder in inner]

    def _sources(self, place: Place) -> list[Path]:
        """The files and folders that the list of images is made of."""
        if self.card.layout == "split":
            return [path for path in [self._list(place)] if path.exists()]
        if self.card.layout == "lists":
            return [path for name in (self.card.class_list, *self.card.parts.values()) if (path := place.directory / name).exists()]
        return [path for folder in self._image_folders(place) for path in (folder, *subfolders(folder))]

    def _absence(self, root: Path, usual: Place) -> str:
        """What is wrong if there is no place with images."""
        card = self.card
        if not root.is_dir():
            return f"no folder {root} (--data_root); expected the folder that holds {card.directory}/"
        if card.misnamed and (usual.directory / card.misnamed).is_dir():
            return f"{usual.directory / card.misnamed} must be called {card.images}: rename it"
        missing = next(folder for folder in self._image_folders(usual) if not folder.is_dir())
        spelt = Listing(root).spelt(missing.relative_to(root).as_posix())
        if spelt and root / spelt == missing:
            return f"{missing} is no folder, perhaps a link that leads nowhere: move it away; then {card.by_hand}"
        if spelt:
            return f"no folder {missing}; {root / spelt} differs from it in upper and lower case: rename it"
        if root.name in {directory.partition("/")[0] for directory, _ in card.places}:
            return f"no folder {missing}; --data_root is the folder that holds {card.directory}/, not that folder itself"
        return f"no folder {missing} for data set {self.name!r}; {card.by_hand}"

    def _from_lists(self, place: Place) -> Split:
        names = [line.strip() for line in _lines(place.directory / self.card.class_list)]
        label = {name: i for i, name in enumerate(names)}

        def rows(path: Path) -> Iterator[Row]:
            for number, line in enumerate(_lines(path), 1):
                stem, _, name = line.strip().partition(" ")
                if name not in label:
                    raise DepthubError(f"{path}, line {number}: class {name!r} is not in {self.card.class_list}{nearest(name, label)}")
                yield Row(f"{stem}.jpg", label[name], name)

        return Split.of({part: rows(place.directory / name) for part, name in self.card.parts.items()})

    def _from_folders(self, place: Place) -> Split:
        known = self._class_folders()
        found = {part: _pictures_by_class(place.images / folder, known, self.name) for part, folder in self.card.parts.items()}
        every = {name for pictures in found.values() for name in pictures}
        for part, pictures in found.items():
            if lacking := sorted(every - pictures.keys()):
                where = place.images / self.card.parts[part]
                raise DepthubError(f"{where} lacks class folders that the others have: {listed(lacking)}; {self.card.by_hand}")
        classes, names = sorted(every, key=lambda name: known[name]), imagenet.class_names()

        def rows(part: Part, folder: str) -> Iterator[Row]:
            for label, name in enumerate(classes):
                text, path = names[known[name]], f"{folder}/{name}/".removeprefix("./")
                yield from (Row(path + picture, label, text) for picture in found[part].pop(name))  # of a million, none is kept twice

        return Split.of({part: rows(part, folder) for part, folder in self.card.parts.items()}, (known[name] for name in classes))

    def _class_folders(self) -> Mapping[str, int]:
        """Class folder to the row of its class among ImageNet's 1,000."""
        rows = {wordnet_id: row for row, wordnet_id in enumerate(imagenet.wordnet_ids())}
        known = {name: rows[name] for name in imagenet.wordnet_ids(self.card.class_list)}
        return {str(row): row for row in known.values()} if self.card.layout == "numbered" else known

    def _require_images(self, split: Split, place: Place) -> None:
        """Notice missing images before a run has trained for hours, not after."""
        if self.card.layout not in ("split", "lists"):
            return
        paths = [row.path for row in split.rows()]
        there = Listing(place.images).presence(paths)
        if there.misspelt:
            path, spelt = next(iter(there.misspelt.items()))
            raise DepthubError(
                f"{len(there.misspelt)} of {len(paths)} images of {self.name} differ from the list in upper and lower case, "
                f"the first {place.images / spelt}, listed as {path}: rename them"
            )
        if there.unfit:
            path, what = next(iter(there.unfit.items()))
            raise DepthubError(
                f"{len(there.unfit)} of {len(paths)} images of {self.name} are none, the first {place.images / path}: it is {what}; "
                f"`depthub data check {self.name}` lists all; {self.card.by_hand}"
            )
        if lost := there.missing + there.empty:
            raise DepthubError(
                f"{len(lost)} of {len(paths)} images of {self.name} are missing or empty, the first {place.images / lost[0]}; "
                f"`depthub data check {self.name}` lists all; {self.card.by_hand}"
            )

    def _notes(self, split: Split, place: Place) -> Iterator[str]:
        """What sets this copy of the data set apart from the published one."""
        card, names = self.card, list(split.names.values())
        if card.layout == "split" and not splits.has_official_content(split, card):
            yield f"{self.name}: {card.split_file} is not the official one, so results cannot be compared with published ones"
        if miscounts := splits.miscounts(split, card):
            yield f"{self.name}: {listed(miscounts)}"
        elif splits.names_sha256(names) != card.names_sha256:
            yield f"{self.name}: the class names, or their order, are not the published ones"
        if card.sorted_first:
            yield f"{self.name}: samples are drawn from sorted file names; the published ones depend on an unsorted listing of the folders"


def _lines(path: Path) -> list[str]:
    advice = "it is part of the official archive: unpack it again"
    try:
        content = path.read_bytes()
        if content.strip() and (what := described(content)):
            raise DepthubError(f"cannot read {path}: it is {what}; {advice}")
        return [line for line in content.decode().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DepthubError(f"cannot read {path}: {reason}; {advice}") from error


def _pictures_by_class(folder: Path, known: Mapping[str, int], name: str) -> dict[str, list[str]]:
    """Class folder to the names of its pictures; files beside the folders, such as README.txt, and folders not `visible` do not count."""
    found = folder_lists.by_folder(folder, subfolders(folder), _pictures)
    if strangers := [child for child in found if child not in known]:
        raise DepthubError(
            f"{folder} holds folders that are no class of {name}: {listed(strangers)}; "
            f"expected names like {next(iter(known))}; rename them or move them away"
        )
    if len(found) < 2:
        raise DepthubError(f"{folder} holds {len(found)} class folders, expected {len(known)}, with names like {next(iter(known))}")
    if empty := [child for child, pictures in found.items() if not pictures]:
        raise DepthubError(f"class folders without images in {folder}: {listed(empty)}; unpack them again")
    return found


def _pictures(folder: Path) -> list[str]:
    # sorted, since the order of a listing depends on the file system; os.listdir since ImageNet has a million of them
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError as error:
        raise DepthubError(f"cannot read folder {folder}: {error.strerror}; allow yourself to read it") from error
    return sorted(name for name in names if os.path.splitext(name)[1].lower() in SUFFIXES and visible(name))  # noqa: PTH122
