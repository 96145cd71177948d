"""The published data sets, read in their users' folders; nothing is ever written there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from depthub.data.dataset import Data, DataSet, Examples
from depthub.data.listing import Listing, subfolders
from depthub.data.published import class_folders, folder_lists, splits, text_lists
from depthub.data.published.cards import DatasetCard
from depthub.data.published.splits import Split
from depthub.data.reader import FolderReader
from depthub.errors import DepthubError
from depthub.types import ClassSet
from depthub.values.text import listed


@dataclass(frozen=True)
class Place:
    """The place of a data set: its directory, with its lists, and the base folder of its images' paths."""

    directory: Path
    images: Path


_Version = tuple[Place, tuple[folder_lists.State, ...]]


class OnDisk(DataSet):
    """A published data set in its users' folders.

    Args:
        card: facts about it.
    """

    def __init__(self, card: DatasetCard) -> None:
        self.card, self.name = card, card.name
        self.aliases = tuple(sorted({card.title, *card.aliases, *(directory for directory, _ in card.places)} - {card.name}))
        self._digests: dict[_Version, str] = {}
        self._last: tuple[_Version, Split] | None = None

    def load(self, root: Path | None = None) -> Data:
        card, place = self.card, self.place(root)
        split = self._split_once(place)
        self.digest(root)  # while the list is in memory
        self._last = None  # the loaded data has its images
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
        """SHA-256 of the list of images; see `splits.canonical_sha256`."""
        place = self.place(root)
        version = self._version(place)
        if version not in self._digests:  # a list of a million images takes seconds, and runs ask several times
            self._digests[version] = splits.canonical_sha256(self._split_once(place))
        return self._digests[version]

    def _version(self, place: Place) -> _Version:
        """A value that changes with the list of images."""
        return place, folder_lists.states(self._sources(place))

    def _split_once(self, place: Place) -> Split:
        """The same as `split`, read once for the digest and for loading."""
        version = self._version(place)
        if self._last is None or self._last[0] != version:
            self._last = version, self.split(place)
        return self._last[1]

    def sources(self, root: Path | None = None) -> list[Path]:
        """The files and folders behind the list of images.

        Raises:
            DepthubError: if the data set is not there.
        """
        return self._sources(self.place(root))

    def place(self, root: Path | None) -> Place:
        """The place of the data set below the data root.

        Raises:
            DepthubError: if it is not there; the message has the nearest cause.
        """
        if root is None:
            raise DepthubError(f"data set {self.name!r} lies on disk; give --data_root DIR, the folder that holds {self.card.directory}/")
        places = [Place(root / directory, root / directory / images) for directory, images in self.card.places]
        for place in places:
            if all(folder.is_dir() for folder in self._image_folders(place)):
                return place
        raise DepthubError(self._absence(root, places[0]))

    def split(self, place: Place) -> Split:
        """The images and labels in the list, unchecked.

        Raises:
            UnusableListError: if a list cannot be read.
            DepthubError: if a folder is not one of a class.
        """
        if self.card.layout == "split":
            return splits.read(self._list(place), self.card)
        if self.card.layout == "lists":
            return text_lists.read(place.directory, self.card)
        return class_folders.read(place.images, self.card)

    def split_file(self, place: Place) -> Path:
        """The split file beside the images; if it is missing, the downloaded one, if there is one."""
        beside_images = place.directory / self.card.split_file
        downloaded = splits.download_folder() / self.card.split_file
        return downloaded if downloaded.is_file() and not beside_images.exists() else beside_images

    def _list(self, place: Place) -> Path:
        return self.split_file(place) if self.card.layout == "split" else place.directory / self.card.class_list

    def _source(self, place: Place) -> str:
        return f"; {splits.source(self.card, self._list(place))}" if self.card.layout == "split" else ""

    def _image_folders(self, place: Place) -> list[Path]:
        inner = self.card.parts.values() if self.card.layout in ("folders", "numbered") else ["."]
        return [place.images / folder for folder in inner]

    def _sources(self, place: Place) -> list[Path]:
        """The files and folders behind the list of images."""
        if self.card.layout == "split":
            return [path for path in [self._list(place)] if path.exists()]
        if self.card.layout == "lists":
            return [path for name in (self.card.class_list, *self.card.parts.values()) if (path := place.directory / name).exists()]
        return [path for folder in self._image_folders(place) for path in (folder, *subfolders(folder))]

    def _absence(self, root: Path, usual: Place) -> str:
        """The message if there is no place with images."""
        card = self.card
        if not root.is_dir():
            return f"no folder {root} (--data_root); expected the folder that holds {card.directory}/"
        if card.misnamed and (usual.directory / card.misnamed).is_dir():
            return f"{usual.directory / card.misnamed} must be called {card.images}: rename it"
        missing = next(folder for folder in self._image_folders(usual) if not folder.is_dir())
        on_disk = Listing(root).on_disk(missing.relative_to(root).as_posix())
        if on_disk and root / on_disk == missing:
            return f"{missing} is not a folder, perhaps a link that leads nowhere: move it away; then {card.by_hand}"
        if on_disk:
            return f"no folder {missing}; {root / on_disk} differs from it in upper and lower case: rename it"
        if root.name in {directory.partition("/")[0] for directory, _ in card.places}:
            return f"no folder {missing}; --data_root is the folder that holds {card.directory}/, not that folder itself"
        return f"no folder {missing} for data set {self.name!r}; {card.by_hand}"

    def _require_images(self, split: Split, place: Place) -> None:
        """Refuse missing images before a run trains for hours, not after."""
        if self.card.layout not in ("split", "lists"):
            return
        paths = [row.path for row in split.rows()]
        presence = Listing(place.images).presence(paths)
        remedy = f"`depthub data check {self.name}` lists all; {self.card.by_hand}"
        if presence.other_case:
            path, on_disk = next(iter(presence.other_case.items()))
            raise DepthubError(
                f"{len(presence.other_case)} of {len(paths)} images of {self.name} differ from the list in upper and lower case, "
                f"the first {place.images / on_disk}, listed as {path}: rename them"
            )
        if presence.unfit:
            path, obstacle = next(iter(presence.unfit.items()))
            raise DepthubError(
                f"{len(presence.unfit)} of {len(paths)} images of {self.name} are not image files, the first {place.images / path}: "
                f"it is {obstacle}; {remedy}"
            )
        if missing := presence.missing + presence.empty:
            first = place.images / missing[0]
            raise DepthubError(f"{len(missing)} of {len(paths)} images of {self.name} are missing or empty, the first {first}; {remedy}")

    def _notes(self, split: Split, place: Place) -> Iterator[str]:
        """Differences of this copy of the data set from the published one."""
        card, names = self.card, list(split.names.values())
        if card.layout == "split" and not splits.has_official_content(split, card):
            yield f"{self.name}: {card.split_file} is not the official one, so results cannot be compared with published ones"
        if miscounts := splits.miscounts(split, card):
            yield f"{self.name}: {listed(miscounts)}"
        elif splits.names_sha256(names) != card.names_sha256:
            yield f"{self.name}: the class names, or their order, are not the published ones"
        if card.sorted_first:
            yield f"{self.name}: samples are drawn from sorted file names; the published ones depend on an unsorted listing of the folders"
