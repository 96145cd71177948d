"""What is known of a published data set: where its files lie, how many there must be, and what they must hash to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from depthub.data.parts import Part
from depthub.errors import DepthubError, hint

Layout = Literal["split", "lists", "folders", "numbered"]


@dataclass(frozen=True)
class ZeroShotTarget:
    """What zero-shot CLIP ViT-B/16 (OpenAI, one template) reaches on one half of the classes.

    Args:
        percent: accuracy as published.
        least, most: numbers of correct images that round to it.
    """

    percent: float
    least: int
    most: int


@dataclass(frozen=True)
class DatasetCard:
    """One published data set.

    Args:
        name: its public name.
        title: what papers call it.
        directory: its folder below the data root; `/` in paths on every system.
        images: the folder that the paths of its images are relative to, below `directory`; "." is `directory` itself.
        layout: how the images of each part are found.
            "split": in the JSON file `split_file`.
            "lists": in the text files of `parts`, one image stem and class name a line; `class_list` orders the classes.
            "folders": in the folders of `parts`, with a sub-folder for each WordNet id; `class_list` orders them.
            "numbered": likewise, but the sub-folders are labels.
        n_classes: how many classes it has.
        names_sha256: of the class names in label order, joined by newlines.
        template: the hand-written prompt, `{}` standing for the class name.
        aliases: other names it goes by.
        other_places: (directory, images) pairs where other tools put the same images.
        misnamed: the folder below `directory` that its archive unpacks to and that must be renamed to `images`.
        space: name of its label space; empty: its own.
        parts: part to a text file below `directory` ("lists") or to a folder below `images` ("folders", "numbered").
        class_list: a file below `directory` ("lists"), or timm's list of the WordNet ids ("folders", "numbered").
        split_file: name of its split file.
        split_canonical: SHA-256 of the official split's content, as `splits.canonical_sha256` computes it; empty: not known.
        split_sha256, split_git_blob, split_bytes: SHA-256, git blob id (SHA-1) and size of the official file; empty, 0: not known.
        mirrors: where official split files can be had.
        counts: number of images by part, "train", "val" and "test", and where known by half, "train/base", "train/new" and so on.
        n_base: how many of the labels, from 0, are the base classes; 0: it is not divided.
        per_class: least and most images a class, by part; "all" is the three together.
        templates: the hand-written prompt of a family of methods, where it has one of its own.
        sorted_first: the published few-shot samples depend on the order of a directory listing; here files are sorted first, so samples
            are the same everywhere, but not the published ones.
        fingerprints: SHA-256 of the published few-shot samples, as `fewshot.fingerprint` computes it, by "shots/seed/part".
        zero_shot: by half, "base" and "new".
        archives: MD5 of the archives that it is published in, by file name.
        licence: a note, not advice.
        by_hand: what a user has to do, besides unpacking.
        rules: in words: "order" and "names" of the classes, and "split".
        targets: data sets to test on after training on this one, as published.
        variants: data sets with the same classes, under a shift of the images.
    """

    name: str
    title: str
    directory: str
    images: str
    layout: Layout
    n_classes: int
    names_sha256: str
    template: str
    aliases: tuple[str, ...] = ()
    other_places: tuple[tuple[str, str], ...] = ()
    misnamed: str = ""
    space: str = ""
    parts: Mapping[Part, str] = field(default_factory=dict)
    class_list: str = ""
    split_file: str = ""
    split_canonical: str = ""
    split_sha256: str = ""
    split_git_blob: str = ""
    split_bytes: int = 0
    mirrors: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    n_base: int = 0
    per_class: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    sorted_first: bool = False
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    zero_shot: Mapping[str, ZeroShotTarget] = field(default_factory=dict)
    archives: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    by_hand: str = ""
    rules: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.layout not in get_args(Layout):
            raise DepthubError(f"data set {self.name!r} has layout {self.layout!r}{hint(self.layout, get_args(Layout))}")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> DatasetCard:
        """From plain data, as JSON holds it.

        Raises:
            DepthubError: for a key that is no fact, and for a layout that does not exist.
        """
        for key in values:
            if key not in cls.__dataclass_fields__:
                raise DepthubError(f"data set {values.get('name')!r}: unknown fact {key!r}{hint(key, cls.__dataclass_fields__)}")
        made: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        made["other_places"] = tuple((directory, images) for directory, images in made.get("other_places", ()))
        made["per_class"] = {part: (least, most) for part, (least, most) in made.get("per_class", {}).items()}
        made["zero_shot"] = {half: ZeroShotTarget(**value) for half, value in made.get("zero_shot", {}).items()}
        return cls(**made)

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """(directory, images) pairs where it may lie below the data root, the usual one first."""
        return ((self.directory, self.images), *self.other_places)

    @property
    def n_new(self) -> int:
        """How many classes are new; 0: it is not divided."""
        return self.n_classes - self.n_base if self.n_base else 0


Facts = DatasetCard  # the name until version 0.1
