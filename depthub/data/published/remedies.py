"""Remedies for the faults of a published data set on disk."""

from __future__ import annotations

from pathlib import Path

from depthub.data.listing import Listing
from depthub.data.published import splits, text_lists
from depthub.data.published.on_disk import OnDisk, Place


class Remedies:
    """The remedies for one data set at one place.

    Args:
        dataset: the data set.
        root: the data root.
        place: place of the data set, or where it should be.
    """

    def __init__(self, dataset: OnDisk, root: Path, place: Place) -> None:
        self.dataset, self.card, self.root, self.place = dataset, dataset.card, root, place

    def list_file(self) -> Path:
        """The file or folder that lists the images, and with them the classes."""
        if self.card.layout == "split":
            return self.dataset.split_file(self.place)
        return self.place.directory / self.card.class_list if self.card.layout == "lists" else self.place.images

    def right_list(self) -> str:
        """For a missing or wrong list: the source of the right one."""
        if self.card.layout == "split":
            return splits.source(self.card, self.list_file())
        return text_lists.REMEDY if self.card.layout == "lists" else self.by_hand()

    def by_hand(self) -> str:
        """For missing images: the steps by hand."""
        return self.card.by_hand or "unpack the official archive again"

    def missing_folder(self, folder: Path) -> str:
        """For a missing folder: rename another one, correct --data_root, or prepare the data set."""
        misnamed = self.place.directory / self.card.misnamed
        if self.card.misnamed and misnamed.is_dir():
            return f"rename {self.relative(misnamed)} to {self.card.images}"
        if remedy := self.other_case(folder):
            return remedy
        if self.root.name in {directory.partition("/")[0] for directory, _ in self.card.places}:
            return f"give the folder that holds {self.card.directory}/ as --data_root, not that folder itself"
        return f"`depthub data prepare {self.card.name} --from PATH` arranges what is elsewhere; otherwise {self.by_hand()}"

    def other_case(self, path: Path) -> str:
        """For something else in the place of a file or folder, or its name in other letter case; empty: there is neither."""
        if not self.root.is_dir() or not path.is_relative_to(self.root):
            return ""
        on_disk = Listing(self.root).on_disk(self.relative(path))
        if on_disk is None:
            return ""
        if self.root / on_disk == path:
            return "something else is in its place, perhaps a link that leads nowhere: move it away"
        return f"{on_disk} differs from it in upper and lower case: rename it"

    def relative(self, path: Path) -> str:
        """A path relative to the data root, if it lies below it."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()
