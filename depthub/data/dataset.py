"""What a data set is: named images with labels, read when they are needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from PIL.Image import Image

    from depthub.types import ClassSet


@runtime_checkable
class Fingerprinting(Protocol):
    """A reader of images that can tell, without reading, whether an image is still the same."""

    def fingerprint(self, name: str) -> str:
        """A text about the image of an id that differs from those of all other images, of this reader and of others, and changes when
        the image may have changed; the same in every process.
        """


@dataclass(frozen=True)
class Examples:
    """N labelled images.

    Args:
        ids: N names, unique within the data set and the same on every machine.
        labels: N integers; they index the data set's classes.
        read: gives the RGB image of an id; deterministic, picklable, so that workers may call it, and equal exactly to what reads the
            same images. What is computed from an image outlives the process only if `read` is also `Fingerprinting`.
        source: the data set's name; a run fills it in.
    """

    ids: tuple[str, ...]
    labels: tuple[int, ...]
    read: Callable[[str], Image]
    source: str = ""

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
    """A loaded data set: its classes and its splits; labels index `classes`.

    Args:
        classes: what the labels index.
        train: the images that few-shot samples are drawn from; none where a data set is for testing only.
        test: the images that are tested on.
        val: validation images; None: there are none.
        notes: what a reader of a run's numbers has to know of the data, one line each.
        targets: names of the data sets that one tests on after training on this one.
        variants: names of the data sets that show the same classes under a shift.
    """

    classes: ClassSet
    train: Examples
    test: Examples
    val: Examples | None = None
    notes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()

    def named(self, source: str) -> Data:
        """The same, with the data set's name in every split."""
        splits = {split: getattr(self, split) for split in ("train", "test", "val")}
        return replace(self, **{split: examples and replace(examples, source=source) for split, examples in splits.items()})


class DataSet(ABC):
    """A data set by name, loaded when a run asks for it.

    Attributes:
        name: its public name.
        aliases: other names that it goes by; nothing is found by them, but a message can name the right one.
        augmentation: the training views that fit its images: "published" (random resized crop and flip) or "none".
    """

    name: str
    aliases: tuple[str, ...] = ()
    augmentation: Literal["published", "none"] = "published"

    @abstractmethod
    def load(self, root: Path | None = None) -> Data:
        """Read the list of images, not the images.

        Args:
            root: the folder that holds data sets on this machine, for those that live on disk.

        Raises:
            DepthubError: if files are missing or not what they should be.
        """

    def digest(self, root: Path | None = None) -> str:
        """What tells other contents under the same name apart, as SHA-256 (hexadecimal); empty where the name says it all.

        Args:
            root: as in `load`.

        Raises:
            DepthubError: as `load` does.
        """
        return ""
