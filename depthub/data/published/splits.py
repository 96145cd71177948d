"""Which images are for training, validation and testing: the lists of the field, read, checked and told apart by their content."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, count, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from depthub.data.listing import PLAIN_PATHS, strange
from depthub.data.parts import PARTS, Part
from depthub.data.published.cards import DatasetCard
from depthub.data.signature import EMPTY, WEB_PAGE, described
from depthub.errors import DepthubError
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
        ids: what each label stands for in the label space; empty: itself.
    """

    train: tuple[Row, ...] = ()
    val: tuple[Row, ...] = ()
    test: tuple[Row, ...] = ()
    ids: tuple[int, ...] = ()

    @classmethod
    def of(cls, parts: Mapping[Part, Iterable[Row]], ids: Iterable[int] = ()) -> Split:
        """From rows by part; a part that is not given has none."""
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
        """How many images there are, by the keys of the card' own counts: by part, and by part and half."""
        halves = {"": range(card.n_classes), "/base": range(card.n_base), "/new": range(card.n_base, card.n_classes)}
        labels = {part: Counter(row.label for row in rows) for part, rows in self.parts.items()}
        made = {
            part + half: sum(number for label, number in labels[part].items() if label in allowed)
            for part in PARTS
            for half, allowed in halves.items()
        }
        return {key: made[key] for key in card.counts}


def read(path: Path, card: DatasetCard) -> Split:
    """The images that a split file lists.

    Raises:
        DepthubError: if it is no split file; the message says what it is instead and where the right one can be had.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DepthubError(f"cannot read {path}: {error.strerror}; {source(card, path)}") from error
    try:
        held = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DepthubError(f"{path} is {_instead(content, error)}; {source(card, path)}") from error
    return Split.of({part: _rows(held, part, path, card) for part in PARTS})


def fetched() -> Path:
    """The folder of the split files that `depthub data fetch-splits` has got."""
    return cache_folder() / "splits"


def _instead(content: bytes, error: Exception) -> str:
    """What a file is that is no JSON."""
    if what := described(content):
        page = ": what was downloaded is an error or a confirmation page" if what == WEB_PAGE else ""
        return what if what == EMPTY else f"{what}, not a split file{page}"
    if content.lstrip().startswith(b"{") and not content.rstrip().endswith(b"}"):
        return f"cut off after {len(content)} bytes"
    return f"no JSON ({error})"


def _rows(held: Any, part: Part, path: Path, card: DatasetCard) -> Iterator[Row]:
    if not isinstance(held, Mapping) or not isinstance(held.get(part), list):
        raise DepthubError(f"{path} has no list {part!r}, expected train, val and test; {source(card, path)}")
    for number, row in enumerate(held[part]):
        match row:
            case [str(image), int(label), str(name)] if not isinstance(label, bool) and (image + name).isprintable():
                yield Row(image, label, name)
            case _:
                raise DepthubError(f"{path}: {part}[{number}] is {row!r:.80}, expected [path, label, class name]; {source(card, path)}")


def source(card: DatasetCard, file: Path) -> str:
    """How the official split file can be had in place of another one, and how to know it."""
    known = f"SHA-256 {card.split_sha256[:16]}..." if card.split_sha256 else f"git blob {card.split_git_blob[:16]}..."
    in_the_way = file.exists() and not file.is_relative_to(fetched())  # what lies beside the images comes before what was fetched
    return f"{'move it away; ' if in_the_way else ''}`depthub data fetch-splits {card.name}` gets the official one ({known})"


def canonical_sha256(split: Split) -> str:
    """SHA-256 over the lines `<part> TAB <path> TAB <label> TAB <name> LF`, train, val, test, each in its own order."""
    made = hashlib.sha256()
    for part, rows in split.parts.items():
        for start in range(0, len(rows), _PIECE):  # a million lines at once are 200 MB
            some = rows[start : start + _PIECE]
            made.update("".join([f"{part}\t{path}\t{label}\t{name}\n" for path, label, name in some]).encode())
    return made.hexdigest()


def git_blob(content: bytes) -> str:
    """The id under which git stores a file's content, as `git hash-object` prints it."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def state(split: Split, content: bytes, card: DatasetCard) -> State:
    """Whether a split file is the official one.

    Only "official" and "same content, other bytes" give the published samples and test sets. "self-made": the counts are those of the
    official one, as in a file that other code made because it found none. "unknown": nor are the counts.
    """
    if git_blob(content) == card.split_git_blob:
        return "official"
    if has_official_content(split, card):
        return "same content, other bytes"
    return "unknown" if miscounts(split, card) else "self-made"


def has_official_content(split: Split, card: DatasetCard) -> bool:
    """Whether a split lists what the official file lists, in the same order."""
    if card.split_canonical:
        return canonical_sha256(split) == card.split_canonical
    # the hash of the content is not known, but that of the file; so the content is written as the official files are
    again = {part: [list(row) for row in rows] for part, rows in split.parts.items()}
    return git_blob(json.dumps(again, indent=4).encode()) == card.split_git_blob


def faults(split: Split) -> list[str]:
    """What makes a split unfit for any run, one line each."""
    found, names = [], dict[int, set[str]]()
    for row in split.rows():
        names.setdefault(row.label, set()).add(row.name)
    below = sorted(label for label in names if label < 0)
    missing = max(names, default=-1) + 1 - (len(names) - len(below))
    if missing or below:
        gaps = islice((label for label in count() if label not in names), min(missing, SHOWN))  # of a billion, the first few are enough
        found.append(f"labels must be 0 to n-1 without gaps; missing, or below 0: {listed([*below, *gaps], of=len(below) + missing)}")
    several = [f"{label} ({', '.join(sorted(own))})" for label, own in sorted(names.items()) if len(own) > 1]
    if several:
        found.append(f"labels with several names: {listed(several)}")
    paths = {part: [row.path for row in rows] for part, rows in split.parts.items()}
    if odd := [path for own in paths.values() for path in own if strange(path)]:
        found.append(f"{PLAIN_PATHS}, from the folder of the images: {listed(odd)}")
    if empty := [part for part in ("train", "test") if not paths[part]]:
        found.append(f"no images in {' and '.join(empty)}")
    for part, own in paths.items():
        if twice := _repeated(own):
            found.append(f"listed twice in {part}: {listed(twice)}")
    for one, other in combinations(PARTS, 2):
        if both := sorted(set(paths[one]) & set(paths[other])):
            found.append(f"listed in {one} and in {other}: {listed(both)}")
    return found


def miscounts(split: Split, card: DatasetCard) -> list[str]:
    """Where the numbers of classes and images are not the published ones, one line each."""
    found = {"classes": (len(split.names), card.n_classes)}
    found |= {f"{key} images": (number, card.counts[key]) for key, number in split.counts(card).items()}
    return [f"{number} {what} instead of {expected}" for what, (number, expected) in found.items() if number != expected]


def names_sha256(names: Iterable[str]) -> str:
    """SHA-256 of class names in label order, joined by newlines."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _repeated(names: list[str]) -> list[str]:
    seen, twice = set[str](), set[str]()
    for name in names:
        (twice if name in seen else seen).add(name)
    return sorted(twice)
