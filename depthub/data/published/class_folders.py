"""The layouts "folders" and "numbered": a sub-folder per class, as ImageNet and its variants have them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from depthub.data.listing import subfolders
from depthub.data.picture_formats import is_picture
from depthub.data.published import folder_lists, imagenet
from depthub.data.published.cards import DatasetCard
from depthub.data.published.splits import Row, Split
from depthub.data.skipped_files import visible
from depthub.errors import DepthubError
from depthub.values.text import listed

ByClass = dict[str, list[str]]  # class folder to the names of its pictures


def read(images: Path, card: DatasetCard) -> Split:
    """The images of all parts; the labels count the classes that are there, in ImageNet's order.

    Raises:
        DepthubError: if a folder cannot be read or is not one of a class, or a class is missing from a part.
    """
    rows = imagenet_rows(card)
    pictures = {part: _pictures_by_class(images / folder, rows, card.name) for part, folder in card.parts.items()}
    every = {name for by_class in pictures.values() for name in by_class}
    for part, by_class in pictures.items():
        if missing := sorted(every - by_class.keys()):
            raise DepthubError(f"{images / card.parts[part]} lacks class folders that the others have: {listed(missing)}; {card.by_hand}")
    classes = sorted(every, key=lambda name: rows[name])
    names = [imagenet.class_names()[rows[folder]] for folder in classes]
    parts = {part: _rows(folder, dict(zip(classes, names, strict=True)), pictures[part]) for part, folder in card.parts.items()}
    return Split.of(parts, (rows[name] for name in classes))


def imagenet_rows(card: DatasetCard) -> Mapping[str, int]:
    """Name of each class folder to the row of its class among ImageNet's 1,000, in the order of the labels."""
    every = {wordnet_id: row for row, wordnet_id in enumerate(imagenet.wordnet_ids())}
    rows = {wordnet_id: every[wordnet_id] for wordnet_id in imagenet.wordnet_ids(card.class_list)}
    return {str(row): row for row in rows.values()} if card.layout == "numbered" else rows


def _rows(folder: str, names: Mapping[str, str], by_class: ByClass) -> Iterator[Row]:
    """The rows of a part, class after class; `by_class` is emptied on the way, so that a million names are not in memory twice.

    Args:
        folder: the part's folder.
        names: class folder to class name, in the order of the labels.
        by_class: pictures of the part.
    """
    for label, (class_folder, name) in enumerate(names.items()):
        prefix = f"{folder}/{class_folder}/".removeprefix("./")
        yield from (Row(prefix + picture, label, name) for picture in by_class.pop(class_folder))


def _pictures_by_class(folder: Path, rows: Mapping[str, int], name: str) -> ByClass:
    """The pictures of each class folder; files beside the folders, such as README.txt, and folders not `visible` are skipped."""
    by_class = folder_lists.by_folder(folder, subfolders(folder), _pictures)
    example = next(iter(rows))
    if others := [child for child in by_class if child not in rows]:
        raise DepthubError(
            f"{folder} holds folders that are not classes of {name}: {listed(others)}; "
            f"expected names like {example}; rename them or move them away"
        )
    if len(by_class) < 2:
        raise DepthubError(f"{folder} holds {len(by_class)} class folders, expected {len(rows)}, with names like {example}")
    if empty := [child for child, pictures in by_class.items() if not pictures]:
        raise DepthubError(f"class folders without images in {folder}: {listed(empty)}; unpack them again")
    return by_class


def _pictures(folder: Path) -> list[str]:
    """The pictures in a folder, sorted, since the order of a listing depends on the file system."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - ten times as fast as Path.iterdir; ImageNet has a million names
    except OSError as error:
        raise DepthubError(f"cannot read folder {folder}: {error.strerror}; allow yourself to read it") from error
    return sorted(name for name in names if is_picture(name) and visible(name))
