"""What a data set is: named images with labels, read when they are needed."""

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
    """A reader of images that can tell, without decoding, whether an image is still the same."""

    def fingerprint(self, name: str) -> str:
        """A text about the image of an id that differs from those of all images with other pixels, of this reader and of others, and
        changes when the image may have changed; the same in every process, and without the places of files.
        """


@runtime_checkable
class FingerprintingMany(Fingerprinting, Protocol):
    """A reader that tells of many images at a time more quickly than one by one."""

    def fingerprints(self, names: Sequence[str]) -> list[str]:
        """What `fingerprint` gives of each id, in the same order."""


@dataclass(frozen=True)
class Examples:
    """N labelled images, which are read when they are needed.

    Args:
        ids: N names, unique within the data set over all its splits, and the same on every machine: samples are drawn from their order, and
            recorded by them.
        labels: N integers (`int`, not NumPy's), from 0; they index the data set's classes, or a task's.
        read: gives the image of an id as `PIL.Image.Image` of mode RGB, of any size: the same pixels at every call. It must be picklable,
            so that workers may call it, and equal (`==`) exactly to what reads the same images: a function of a module, or an instance of a
            frozen dataclass. It raises a `DepthubError` that names the image for one that cannot be read. What is computed from an image
            outlives the process only if `read` is also `Fingerprinting`.
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


def fingerprints(examples: Examples) -> list[str] | None:
    """The fingerprint of every image, in the order of the ids; None if their reader is not `Fingerprinting`.

    Raises:
        DepthubError: as the reader does, for an image that cannot be read.
    """
    read = examples.read
    if isinstance(read, FingerprintingMany):
        return read.fingerprints(examples.ids)
    return [read.fingerprint(name) for name in examples.ids] if isinstance(read, Fingerprinting) else None


class Prints:
    """Fingerprints of images, each taken once; for a command, not for longer: images may change."""

    def __init__(self) -> None:
        self._taken: list[tuple[Any, dict[str, str]]] = []  # by reader, which need not be hashable

    def of(self, examples: Examples) -> list[str] | None:
        """What `fingerprints` gives.

        Raises:
            DepthubError: as `fingerprints` does.
        """
        if not isinstance(examples.read, Fingerprinting):
            return None
        known = self._known(examples.read)
        names = tuple(dict.fromkeys(name for name in examples.ids if name not in known))
        known.update(zip(names, fingerprints(replace(examples, ids=names, labels=(0,) * len(names))) or (), strict=True))
        return [known[name] for name in examples.ids]

    def add(self, read: Any, prints: Mapping[str, str]) -> None:
        """Note fingerprints that a reader would give, by id."""
        self._known(read).update(prints)

    def _known(self, read: Any) -> dict[str, str]:
        for other, known in self._taken:
            if other == read:
                return known
        self._taken.append((read, {}))
        return self._taken[-1][1]


def contents(examples: Examples, prints: Prints | None = None) -> str:
    """SHA-256 (hexadecimal) over the sorted lines `id TAB fingerprint LF`; empty if their reader is not `Fingerprinting`.

    Args:
        examples: N images.
        prints: that were taken before, and that those taken now join.

    Raises:
        DepthubError: as the reader does, for an image that cannot be read.
    """
    marks = (prints or Prints()).of(examples)
    if marks is None:
        return ""
    lines = sorted(f"{name}\t{mark}\n" for name, mark in zip(examples.ids, marks, strict=True))
    return hashlib.sha256("".join(lines).encode(errors="surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Data:
    """A loaded data set: its classes and its splits. No image has been read yet.

    A run refuses labels without a class, ids that repeat within a split, training images among the test images, and classes with the same
    words.

    Args:
        classes: the M classes that the labels of all splits index. Its `space` is a name of the label space, as a rule the data set's: sets
            of one space are compared by ids.
        train: the images that few-shot samples are drawn from; none where a data set is for testing only.
        test: the images that are tested on, at least one.
        val: validation images; None: there are none.
        notes: what a reader of a run's numbers has to know of the data, one line each.
        targets: names of the data sets that one tests on after training on this one.
        variants: names of the data sets that show the same classes under a shift.
        homonyms: words that the published list itself gives to several classes, in lower case; all others must differ.
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
        """The classes as those of another set that has them all: by their ids in one label space, by their words in two.

        Args:
            other: a set of these classes, and perhaps of more.

        Returns:
            What the labels index; of two label spaces the classes of `other`, in the order of this data set's.

        Raises:
            DepthubError: naming those that `other` does not have, or has more than once.
        """
        classes = self.classes
        if classes.rows_in(other) is not None:
            return classes
        if classes.space == other.space:
            lacking = [name for i, name in zip(classes.ids, classes.names, strict=True) if i not in other.ids]
            raise DepthubError(_not_all(lacking, other))
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(other.names):
            rows.setdefault(words(name), []).append(row)
        if lacking := [name for name in classes.names if words(name) not in rows]:
            raise DepthubError(_not_all(lacking, other))
        if doubtful := [name for name in classes.names if len(rows[words(name)]) > 1]:
            raise DepthubError(f"{listed(doubtful)} may be one or another class of {other.space!r}, which has several of these words")
        return other.take([rows[words(name)][0] for name in classes.names])


def _not_all(lacking: Sequence[str], other: ClassSet) -> str:
    """Why classes are not all among others; a name that is nearly one of them is named."""
    return f"some of its classes are not in {other.space!r}: {listed(list(lacking))}{nearest(lacking[0], other.names)}"


class DataSet(ABC):
    """A data set by name, loaded when a run asks for it.

    Plugins and `depthub.register` take instances, not classes. Making one reads nothing; `load` may be called several times, in several
    processes, and gives the same each time. For images in memory there is `data_in_memory`; for those on disk in one of the field's
    layouts, `OnDisk`.

    Attributes:
        name: its public name: letters, digits, `_`, `-` and `.`.
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
            root: the folder that holds data sets on this machine, for those that live on disk; None: the user named none.

        Returns:
            The classes and splits, see `Data`.

        Raises:
            DepthubError: if files are missing or not what they should be, naming the file and what to do.
        """

    def digest(self, root: Path | None = None) -> str:
        """What tells other contents under the same name apart, as SHA-256 (hexadecimal); empty where name and package version say it all.

        Here: of the classes, and of ids, labels and images of all splits. An image counts by its fingerprint where the reader is
        `Fingerprinting`; otherwise every image is read and counts by its pixels. A run asks for it before it starts, so override it where
        that takes too long: with the digest of a list, or of the files that the images come from.

        Args:
            root: as in `load`.

        Raises:
            DepthubError: as `load` does, and for an image that cannot be read.
        """
        data = self.load(root)
        if not isinstance(data, Data):
            raise DepthubError(f"data set {self.name!r}: load() gives {type(data).__name__}, expected depthub.Data")
        classes = data.classes
        total = hashlib.sha256(json.dumps([[int(i) for i in classes.ids], classes.names, classes.template, classes.templates]).encode())
        for split, examples in (("train", data.train), ("val", data.val), ("test", data.test)):
            for name, label, image in zip(examples.ids, examples.labels, _images(examples), strict=True) if examples else ():
                total.update(json.dumps([split, name, int(label), image]).encode())
        return total.hexdigest()


def _images(examples: Examples) -> Iterator[str]:
    """What each image counts by in a digest."""
    prints = fingerprints(examples)
    yield from prints if prints is not None else (_pixels(examples, name) for name in examples.ids)


def _pixels(examples: Examples, name: str) -> str:
    from PIL.Image import Image  # lists of data sets are read without Pillow

    picture = examples.read(name)
    if not isinstance(picture, Image):
        raise DepthubError(f"the reader of image {name!r} gives {type(picture).__name__}, expected a picture (PIL.Image.Image)")
    return hashlib.sha256(f"{picture.mode} {picture.size} ".encode() + picture.tobytes()).hexdigest()
