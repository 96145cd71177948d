"""Splits: the field's lists of training, validation and test images, read, checked and identified by their content."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, count, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from depthub.data.listing import PLAIN_PATHS, is_plain_path
from depthub.data.parts import PARTS, Part
from depthub.data.published.cards import DatasetCard
from depthub.data.published.list_error import UnusableListError
from depthub.data.signature import EMPTY, WEB_PAGE, described
from depthub.system.files import cache_folder
from depthub.values.text import SHOWN, listed

_PIECE = 10_000  # rows hashed at a time
State = Literal["official", "same content, other bytes", "self-made", "unknown"]


class Row(NamedTuple):
    """One image: its path relative to the folder of the images, its label, counted from 0, and its class's name."""

    path: str
    label: int
    name: str


@dataclass(frozen=True)
class Split:
    """The images of a data set by part, in the order that few-shot samples depend on.

    Args:
        train, val, test: the images.
        ids: id of each label in the label space; empty: the label itself.
    """

    train: tuple[Row, ...] = ()
    val: tuple[Row, ...] = ()
    test: tuple[Row, ...] = ()
    ids: tuple[int, ...] = ()

    @classmethod
    def of(cls, parts: Mapping[Part, Iterable[Row]], ids: Iterable[int] = ()) -> Split:
        """From rows by part; a missing part is empty."""
        train, val, test = (tuple(parts.get(part, ())) for part in PARTS)
        return cls(train, val, test, tuple(ids))

    @property
    def parts(self) -> dict[Part, tuple[Row, ...]]:
        """Rows by part."""
        return {"train": self.train, "val": self.val, "test": self.test}

    def rows(self) -> Iterator[Row]:
        """All rows, part after part."""
        for rows in self.parts.values():
            yield from rows

    @cached_property
    def names(self) -> dict[int, str]:
        """Class names by label, in the order of the labels."""
        return dict(sorted({label: name for _, label, name in self.rows()}.items()))

    def counts(self, card: DatasetCard) -> dict[str, int]:
        """Numbers of images by the keys of the card's counts: by part, "train", and by part and half, "train/base"."""
        halves = {"": range(card.n_classes), "/base": range(card.n_base), "/new": range(card.n_base, card.n_classes)}
        by_label = {part: Counter(row.label for row in rows) for part, rows in self.parts.items()}
        numbers = {
            part + half: sum(number for label, number in by_label[part].items() if label in labels)
            for part in PARTS
            for half, labels in halves.items()
        }
        return {key: numbers[key] for key in card.counts}


def read(path: Path, card: DatasetCard) -> Split:
    """The images in a split file: `{"train": [["cat/1.jpg", 0, "cat"], ...], "val": [...], "test": [...]}`.

    Raises:
        UnusableListError: if it is not a split file; the message says what it is instead, and how to get the right one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnusableListError.of(path, f"cannot be read: {error.strerror}", source(card, path)) from error
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnusableListError.of(path, f"is {_instead(content, error)}", source(card, path)) from error
    return Split.of({part: _rows(document, part, path, card) for part in PARTS})


def download_folder() -> Path:
    """The folder of the split files from `depthub data fetch-splits`."""
    return cache_folder() / "splits"


def _instead(content: bytes, error: Exception) -> str:
    """The kind of a file that is not JSON, as the end of "is ..."."""
    if description := described(content):
        page = ": what was downloaded is an error or a confirmation page" if description == WEB_PAGE else ""
        return description if description == EMPTY else f"{description}, not a split file{page}"
    if content.lstrip().startswith(b"{") and not content.rstrip().endswith(b"}"):
        return f"cut off after {len(content)} bytes"
    return f"not JSON ({error})"


def _rows(document: Any, part: Part, path: Path, card: DatasetCard) -> Iterator[Row]:
    """The rows of a part in a split file's content."""
    if not isinstance(document, Mapping) or not isinstance(document.get(part), list):
        raise UnusableListError.of(path, f"has no list {part!r}, expected train, val and test", source(card, path))
    for number, row in enumerate(document[part]):
        match row:
            case [str(image), int(label), str(name)] if not isinstance(label, bool) and (image + name).isprintable():
                yield Row(image, label, name)
            case _:
                fault = f"cannot be used: {part}[{number}] is {row!r:.80}, expected [path, label, class name]"
                raise UnusableListError.of(path, fault, source(card, path))


def source(card: DatasetCard, file: Path) -> str:
    """The remedy for a missing or wrong split file: how to get the official one, and its hash."""
    official = f"SHA-256 {card.split_sha256[:16]}..." if card.split_sha256 else f"git blob {card.split_git_blob[:16]}..."
    in_the_way = file.exists() and not file.is_relative_to(download_folder())  # a file beside the images comes before a downloaded one
    return f"{'move it away; ' if in_the_way else ''}`depthub data fetch-splits {card.name}` gets the official one ({official})"


def canonical_sha256(split: Split) -> str:
    """SHA-256 over the lines `<part> TAB <path> TAB <label> TAB <name> LF`, train, val, test, each in its own order."""
    sha256 = hashlib.sha256()
    for part, rows in split.parts.items():
        for start in range(0, len(rows), _PIECE):  # a million lines at once are 200 MB
            piece = rows[start : start + _PIECE]
            sha256.update("".join([f"{part}\t{path}\t{label}\t{name}\n" for path, label, name in piece]).encode())
    return sha256.hexdigest()


def git_blob(content: bytes) -> str:
    """Git's id of a file's content, as `git hash-object` prints it."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def state(split: Split, content: bytes, card: DatasetCard) -> State:
    """Whether a split file is the official one.

    Only "official" and "same content, other bytes" give the published samples and test sets. "self-made": another list with the official
    counts, as other code writes it where it finds none. "unknown": a list with other counts.
    """
    if git_blob(content) == card.split_git_blob:
        return "official"
    if has_official_content(split, card):
        return "same content, other bytes"
    return "unknown" if miscounts(split, card) else "self-made"


def has_official_content(split: Split, card: DatasetCard) -> bool:
    """Whether a split has the same rows as the official file, in the same order."""
    if card.split_canonical:
        return canonical_sha256(split) == card.split_canonical
    # only the hash of the official file is known, not that of its content; so the content is written as the official files are
    document = {part: [list(row) for row in rows] for part, rows in split.parts.items()}
    return git_blob(json.dumps(document, indent=4).encode()) == card.split_git_blob


def faults(split: Split) -> list[str]:
    """All faults that make a split unfit for any run, one line each."""
    return [*_label_faults(split), *_path_faults(split)]


def _label_faults(split: Split) -> Iterator[str]:
    """Labels with gaps, below 0, or with several names."""
    names: dict[int, set[str]] = defaultdict(set)
    for row in split.rows():
        names[row.label].add(row.name)
    negative = sorted(label for label in names if label < 0)
    n_missing = max(names, default=-1) + 1 - (len(names) - len(negative))
    if n_missing or negative:
        gaps = islice((label for label in count() if label not in names), min(n_missing, SHOWN))  # the first few of perhaps a billion
        shown = listed([*negative, *gaps], of=len(negative) + n_missing)
        yield f"labels must be 0 to n-1 without gaps; missing, or below 0: {shown}"
    several = [f"{label} ({', '.join(sorted(of_label))})" for label, of_label in sorted(names.items()) if len(of_label) > 1]
    if several:
        yield f"labels with several names: {listed(several)}"


def _path_faults(split: Split) -> Iterator[str]:
    """Paths that are not plain, missing parts, and images that are listed twice."""
    paths = {part: [row.path for row in rows] for part, rows in split.parts.items()}
    if not_plain := [path for of_part in paths.values() for path in of_part if not is_plain_path(path)]:
        yield f"{PLAIN_PATHS}, from the folder of the images: {listed(not_plain)}"
    if empty := [part for part in ("train", "test") if not paths[part]]:
        yield f"no images in {' and '.join(empty)}"
    for part, of_part in paths.items():
        if repeated := sorted(path for path, number in Counter(of_part).items() if number > 1):
            yield f"listed twice in {part}: {listed(repeated)}"
    for one, other in combinations(PARTS, 2):
        if both := sorted(set(paths[one]) & set(paths[other])):
            yield f"listed in {one} and in {other}: {listed(both)}"


def miscounts(split: Split, card: DatasetCard) -> list[str]:
    """The numbers of classes and images that differ from the published ones, one line each."""
    numbers = {"classes": (len(split.names), card.n_classes)}
    numbers |= {f"{key} images": (number, card.counts[key]) for key, number in split.counts(card).items()}
    return [f"{number} {noun} instead of {expected}" for noun, (number, expected) in numbers.items() if number != expected]


def names_sha256(names: Iterable[str]) -> str:
    """SHA-256 of class names in label order, joined by newlines."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
