"""The layout "lists": text files with an image and its class name per line, as FGVC Aircraft has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from depthub.data.published.cards import DatasetCard
from depthub.data.published.list_error import UnusableListError
from depthub.data.published.splits import Row, Split
from depthub.data.signature import described
from depthub.errors import nearest

REMEDY = "it is part of the official archive: unpack it again"


def read(directory: Path, card: DatasetCard) -> Split:
    """The images of all parts; `0034309 707-320` in a list is the image `0034309.jpg` of the class "707-320".

    Raises:
        UnusableListError: if a list cannot be read, or has an unknown class.
    """
    names = [line.strip() for line in _lines(directory / card.class_list)]
    labels = {name: label for label, name in enumerate(names)}
    return Split.of({part: _rows(directory / file, labels, card.class_list) for part, file in card.parts.items()})


def _rows(path: Path, labels: Mapping[str, int], class_list: str) -> Iterator[Row]:
    for number, line in enumerate(_lines(path), 1):
        stem, _, name = line.strip().partition(" ")
        if name not in labels:
            fault = f"cannot be used: line {number}: class {name!r} is not in {class_list}{nearest(name, labels)}"
            raise UnusableListError.of(path, fault, REMEDY)
        yield Row(f"{stem}.jpg", labels[name], name)


def _lines(path: Path) -> list[str]:
    """The lines of a text file, without empty ones."""
    try:
        content = path.read_bytes()
        if content.strip() and (description := described(content)):
            raise UnusableListError.of(path, f"is {description}", REMEDY)
        return [line for line in content.decode().splitlines() if line.strip()]
    except OSError as error:
        raise UnusableListError.of(path, f"cannot be read: {error.strerror}", REMEDY) from error
    except UnicodeDecodeError as error:
        raise UnusableListError.of(path, f"is not UTF-8: {error}", REMEDY) from error
