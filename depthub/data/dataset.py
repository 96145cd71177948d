"""Data sets: named images with labels; each image is read when it is needed."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from depthub.data.class_names import words
from depthub.errors import DepthubError, nearest
from depthub.values.text import listed

if TYPE_CHECKING:
    from PIL.Image import Image

    from depthub.types import ClassSet


@runtime_checkable
class Fingerprinting(Protocol):
    """A reader of images that recognises an unchanged image without decoding it."""

    def fingerprint(self, name: str) -> str:
        """A text that identifies the image of an id: different for every image with other pixels, of this reader or another, and changed
        whenever the image may have changed. It is the same in every process and does not depend on where files lie.
        """


@runtime_checkable
class FingerprintingMany(Fingerprinting, Protocol):
    """A reader that takes the fingerprints of many images faster than one by one."""

    def fingerprints(self, names: Sequence[str]) -> list[str]:
        """The `fingerprint` of each id, in the same order."""


@dataclass(frozen=True)
class Examples:
    """N labelled images; each is read when it is needed.

    Args:
        ids: N names, unique within the data set over all its splits, and the same on every machine: samples depend on their order and are
            recorded by them.
        labels: N integers (`int`, not NumPy's), from 0; they index the data set's classes, or a task's.
        read: gives the image of an id as `PIL.Image.Image` of mode RGB, of any size: the same pixels at every call. It must be picklable,
            so that workers may call it, and equal (`==`) exactly to a reader of the same images: a function of a module, or an instance of
            a frozen dataclass. For an unreadable image it raises a `DepthubError` with the image's name. Results computed from an image
            are kept on disk only if `read` is also `Fingerprinting`.
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
        """The images with these labels; the new label is the position of the old one in `labels`, as [7, 3] makes 7 into 0 and 3 into 1."""
        position = {label: i for i, label in enumerate(labels)}
        subset = self.take([row for row, label in enumerate(self.labels) if label in position])
        return replace(subset, labels=tuple(position[label] for label in subset.labels))


def fingerprints(examples: Examples) -> list[str] | None:
    """The fingerprint of every image, in the order of the ids; None if their reader is not `Fingerprinting`.

    Raises:
        DepthubError: for an unreadable image, as the reader does.
    """
    reader = examples.read
    if isinstance(reader, FingerprintingMany):
        return reader.fingerprints(examples.ids)
    return [reader.fingerprint(name) for name in examples.ids] if isinstance(reader, Fingerprinting) else None


class FingerprintMemory:
    """Fingerprints of images, each taken once; for the time of one command, not longer, since images may change."""

    def __init__(self) -> None:
        self._by_reader: list[tuple[Any, dict[str, str]]] = []  # a list of pairs: readers need not be hashable

    def of(self, examples: Examples) -> list[str] | None:
        """The same as `fingerprints`.

        Raises:
            DepthubError: as `fingerprints` does.
        """
        if not isinstance(examples.read, Fingerprinting):
            return None
        memory = self._memory(examples.read)
        new = tuple(dict.fromkeys(name for name in examples.ids if name not in memory))
        memory.update(zip(new, fingerprints(replace(examples, ids=new, labels=(0,) * len(new))) or (), strict=True))
        return [memory[name] for name in examples.ids]

    def add(self, reader: Any, prints: Mapping[str, str]) -> None:
        """Remember fingerprints, by id, that the reader would give."""
        self._memory(reader).update(prints)

    def _memory(self, reader: Any) -> dict[str, str]:
        """The fingerprints of a reader's images by id; equal readers share them."""
        for other, memory in self._by_reader:
            if other == reader:
                return memory
        self._by_reader.append((reader, {}))
        return self._by_reader[-1][1]


def contents(examples: Examples, memory: FingerprintMemory | None = None) -> str:
    """SHA-256 (hexadecimal) over the sorted lines `id TAB fingerprint LF`; empty if their reader is not `Fingerprinting`.

    Args:
        examples: N images.
        memory: earlier fingerprints; new ones are added.

    Raises:
        DepthubError: for an unreadable image, as the reader does.
    """
    prints = (FingerprintMemory() if memory is None else memory).of(examples)
    if prints is None:
        return ""
    lines = sorted(f"{name}\t{fingerprint}\n" for name, fingerprint in zip(examples.ids, prints, strict=True))
    return hashlib.sha256("".join(lines).encode(errors="surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Data:
    """A loaded data set: its classes and its splits. No image has been read yet.

    A run refuses labels without a class, ids that repeat within a split, training images among the test images, and classes with the same
    words.

    Args:
        classes: the M classes that the labels of all splits index. Its `space` names the label space, as a rule by the data set's name:
            classes of one space are compared by their ids.
        train: the training images, the source of few-shot samples; none if the data set is for testing only.
        test: the test images, at least one.
        val: validation images; None: there are none.
        notes: facts about the data for readers of a run's numbers, one line each.
        targets: names of data sets for testing after training on this one.
        variants: names of data sets with the same classes under a shift.
        homonyms: words that the published list itself gives to several classes, in lower case; all other names must differ.
    """

    classes: ClassSet
    train: Examples
    test: Examples
    val: Examples | None = None
    notes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    homonyms: tuple[str, ...] = ()

    def named(self, source: str) -> Data:
        """The same, with the data set's name in every split."""
        splits = {split: getattr(self, split) for split in ("train", "test", "val")}
        return replace(self, **{split: examples and replace(examples, source=source) for split, examples in splits.items()})

    def classes_in(self, other: ClassSet) -> ClassSet:
        """These classes, taken from another set that has them all: matched by ids within one label space, by words between two.

        Args:
            other: a set of these classes, and perhaps of more.

        Returns:
            The classes that the labels index: within one label space this data set's own, otherwise those of `other` in this order.

        Raises:
            DepthubError: naming the classes that are missing from `other` or are there more than once.
        """
        classes = self.classes
        if classes.rows_in(other) is not None:
            return classes
        if classes.space == other.space:
            missing = [name for i, name in zip(classes.ids, classes.names, strict=True) if i not in other.ids]
            raise DepthubError(_missing_classes(missing, other))
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(other.names):
            rows.setdefault(words(name), []).append(row)
        if missing := [name for name in classes.names if words(name) not in rows]:
            raise DepthubError(_missing_classes(missing, other))
        if ambiguous := [name for name in classes.names if len(rows[words(name)]) > 1]:
            raise DepthubError(f"{listed(ambiguous)} may be one or another class of {other.space!r}, which has several of these words")
        return other.take([rows[words(name)][0] for name in classes.names])


def _missing_classes(missing: Sequence[str], other: ClassSet) -> str:
    """The message for classes that are missing from another set, with the nearest name there is."""
    return f"some of its classes are not in {other.space!r}: {listed(missing)}{nearest(missing[0], other.names)}"


class DataSet(ABC):
    """A data set with a name, loaded when a run needs it.

    Plugins and `depthub.register` take instances, not classes. The constructor reads nothing; `load` may be called several times, in
    several processes, and gives the same each time. Images in memory become a data set by `data_in_memory`, images on disk in one of the
    field's layouts by `OnDisk`.

    Attributes:
        name: its public name: letters, digits, `_`, `-` and `.`.
        aliases: other names in use; they do not load the data set, but a message can suggest the right name.
        augmentation: the training views for its images: "published" (random resized crop and flip) or "none".
    """

    name: str
    aliases: tuple[str, ...] = ()
    augmentation: Literal["published", "none"] = "published"

    @abstractmethod
    def load(self, root: Path | None = None) -> Data:
        """Read the list of images, not the images.

        Args:
            root: the folder with the data sets of this machine, for data sets on disk; None: not given.

        Returns:
            The classes and splits, see `Data`.

        Raises:
            DepthubError: if files are missing or wrong; the message names the file and a remedy.
        """

    def digest(self, root: Path | None = None) -> str:
        """SHA-256 (hexadecimal) of the contents; empty where name and package version determine them.

        This implementation hashes the classes, and the ids, labels and images of all splits: an image by its fingerprint if the reader is
        `Fingerprinting`, otherwise by its pixels, for which every image is read. A run needs the digest before it starts; where that takes
        too long, override it with the digest of a list or of the source files.

        Args:
            root: as in `load`.

        Raises:
            DepthubError: as `load` does, and for an unreadable image.
        """
        data = self.load(root)
        if not isinstance(data, Data):
            raise DepthubError(f"data set {self.name!r}: load() gives {type(data).__name__}, expected depthub.Data")
        classes = data.classes
        sha256 = hashlib.sha256(json.dumps([[int(i) for i in classes.ids], classes.names, classes.template, classes.templates]).encode())
        for split, examples in (("train", data.train), ("val", data.val), ("test", data.test)):
            for name, label, image in zip(examples.ids, examples.labels, _image_marks(examples), strict=True) if examples else ():
                sha256.update(json.dumps([split, name, int(label), image]).encode())
        return sha256.hexdigest()


def _image_marks(examples: Examples) -> Iterator[str]:
    """Each image's part of a digest: its fingerprint, or else the SHA-256 of its pixels."""
    prints = fingerprints(examples)
    yield from prints if prints is not None else (_pixels(examples, name) for name in examples.ids)


def _pixels(examples: Examples, name: str) -> str:
    """SHA-256 of an image's mode, size and pixels."""
    from PIL.Image import Image  # lists of data sets are read without Pillow

    picture = examples.read(name)
    if not isinstance(picture, Image):
        raise DepthubError(f"the reader of image {name!r} gives {type(picture).__name__}, expected a picture (PIL.Image.Image)")
    return hashlib.sha256(f"{picture.mode} {picture.size} ".encode() + picture.tobytes()).hexdigest()
