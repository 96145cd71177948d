"""What a data set is: named images with labels, read when they are needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

    from depthub.types import ClassSet


@dataclass(frozen=True)
class Examples:
    """N labelled images.

    Args:
        ids: N names, unique within the data set and the same on every machine.
        labels: N integers; they index the data set's classes.
        read: gives the RGB image of an id; deterministic, picklable, so that workers may call it, and equal exactly to what reads the
            same images.
    """

    ids: tuple[str, ...]
    labels: tuple[int, ...]
    read: Callable[[str], Image]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: list[int]) -> Examples:
        """The images in these rows, in that order."""
        return replace(self, ids=tuple(self.ids[r] for r in rows), labels=tuple(self.labels[r] for r in rows))

    def restricted_to(self, labels: list[int]) -> Examples:
        """The images with these labels, relabelled by their place in `labels`."""
        place = {label: i for i, label in enumerate(labels)}
        kept = self.take([r for r, label in enumerate(self.labels) if label in place])
        return replace(kept, labels=tuple(place[label] for label in kept.labels))


@dataclass(frozen=True)
class Data:
    """A loaded data set: its classes and its splits; labels index `classes`."""

    classes: ClassSet
    train: Examples
    test: Examples
    val: Examples | None = None


class DataSet(ABC):
    """A data set by name, loaded when a run asks for it.

    Attributes:
        name: its public name.
        augmentation: the training views that fit its images: "published" (random resized crop and flip) or "none".
    """

    name: str
    augmentation: Literal["published", "none"] = "published"

    @abstractmethod
    def load(self, root: Path | None = None) -> Data:
        """Read the list of images, not the images.

        Args:
            root: the folder that holds data sets on this machine, for those that live on disk.

        Raises:
            DepthubError: if files are missing or not what they should be.
        """
