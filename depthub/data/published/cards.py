"""The card of a published data set: places, numbers and hashes of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from depthub.data.parts import Part
from depthub.errors import DepthubError, hint

Layout = Literal["split", "lists", "folders", "numbered"]


@dataclass(frozen=True)
class ZeroShotTarget:
    """Published accuracy of zero-shot CLIP ViT-B/16 (OpenAI, one template) on one half of the classes.

    Args:
        percent: accuracy as published.
        least, most: range of correct images with this accuracy after rounding.
    """

    percent: float
    least: int
    most: int


@dataclass(frozen=True)
class DatasetCard:
    """One published data set.

    Args:
        name: its public name.
        title: its name in papers.
        directory: its folder below the data root; `/` in paths on every system.
        images: base folder of the paths of its images, below `directory`; "." is `directory` itself.
        layout: the source of the list of images.
            "split": the JSON file `split_file`.
            "lists": the text files of `parts`, an image's stem and class name per line; `class_list` orders the classes.
            "folders": the folders of `parts`, with a sub-folder for each WordNet id; `class_list` orders them.
            "numbered": likewise, but the sub-folders are named by labels.
        n_classes: number of classes.
        names_sha256: SHA-256 of the class names in label order, joined by newlines.
        template: the hand-written prompt, `{}` standing for the class name.
        aliases: other names in use.
        other_places: (directory, images) pairs of other tools for the same images.
        misnamed: the folder below `directory` that its archive unpacks to; it must be renamed to `images`.
        space: name of its label space; empty: its own.
        parts: part to a text file below `directory` ("lists") or to a folder below `images` ("folders", "numbered").
        class_list: a file below `directory` ("lists"), or timm's list of the WordNet ids ("folders", "numbered").
        split_file: name of its split file.
        split_canonical: SHA-256 of the official split's content, see `splits.canonical_sha256`; empty: not known.
        split_sha256, split_git_blob, split_bytes: SHA-256, git blob id (SHA-1) and size of the official file; empty, 0: not known.
        mirrors: addresses of folders with official split files.
        counts: number of images by part, "train", "val" and "test", and if known by half, "train/base", "train/new" and so on.
        n_base: number of base classes, which have the first labels; 0: it is not divided.
        per_class: least and most images per class, by part; "all" is the three together.
        templates: the hand-written prompt of a family of methods, if it differs from `template`.
        sorted_first: the published few-shot samples depend on the order of a directory listing; here files are sorted first, so samples
            are the same everywhere, but not the published ones.
        fingerprints: SHA-256 of the published few-shot samples, see `fewshot.fingerprint`, by "shots/seed/part".
        zero_shot: published accuracy of zero-shot CLIP by half, "base" and "new".
        archives: MD5 of its published archives, by file name.
        licence: a note, not advice.
        by_hand: steps for the user, besides unpacking.
        rules: "order" and "names" of the classes, and "split", each in words.
        targets: data sets for testing after training on this one, as published.
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
            DepthubError: for an unknown key, and for a layout that does not exist.
        """
        for key in values:
            if key not in cls.__dataclass_fields__:
                raise DepthubError(f"data set {values.get('name')!r}: unknown field {key!r}{hint(key, cls.__dataclass_fields__)}")
        fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        fields["other_places"] = tuple((directory, images) for directory, images in fields.get("other_places", ()))
        fields["per_class"] = {part: (least, most) for part, (least, most) in fields.get("per_class", {}).items()}
        fields["zero_shot"] = {half: ZeroShotTarget(**value) for half, value in fields.get("zero_shot", {}).items()}
        return cls(**fields)

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """(directory, images) pairs of its possible places below the data root, the usual one first."""
        return ((self.directory, self.images), *self.other_places)

    @property
    def n_new(self) -> int:
        """How many classes are new; 0: it is not divided."""
        return self.n_classes - self.n_base if self.n_base else 0


Facts = DatasetCard  # the name until version 0.1
