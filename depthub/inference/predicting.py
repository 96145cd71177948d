"""Many picture files through a classifier: in batches, and past the broken ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from depthub.data.listing import FOLDER, children, kind
from depthub.data.picture_formats import SUFFIXES
from depthub.encoding.image_features import BATCH
from depthub.errors import DepthubError
from depthub.inference.classifier import Classifier
from depthub.system.activity import tell


@dataclass(frozen=True)
class Predicted:
    """The classification of one file.

    Args:
        path: of the file.
        best: the most probable classes with their probabilities, best first; empty if the file could not be read.
        fault: the reason why it could not be read, in one line.
    """

    path: Path
    best: tuple[tuple[str, float], ...] = ()
    fault: str = ""


def picture_files(places: Iterable[Path]) -> list[Path]:
    """Files in their order, and in place of folders all pictures below them, by name; each once.

    Raises:
        DepthubError: for a folder that cannot be read, or that holds no picture.
    """
    files: dict[Path, None] = {}
    for place in places:
        below = list(_below(place, frozenset())) if kind(place) == FOLDER else [place]
        if not below:
            raise DepthubError(
                f"{place} holds no picture; expected files that end in {', '.join(sorted(SUFFIXES))}, also in folders below it"
            )
        files |= dict.fromkeys(below)
    return list(files)


def predict(
    classifier: Classifier, files: Sequence[Path], class_names: Sequence[str] | None = None, *, task: str = "", k: int = 1
) -> Iterator[Predicted]:
    """Classify picture files, in their order; at most a batch of them is in memory.

    Args:
        classifier: of the run, see `depthub.load`.
        files: of pictures.
        class_names, task: the classes to tell apart, as in `Classifier.classify`.
        k: classes named for each file, or all if there are fewer.

    Raises:
        DepthubError: for classes that the method or head cannot name. An unreadable file is not an error, see `Predicted`.
    """
    for start in range(0, len(files), BATCH):
        tell("classifying images", start, len(files))
        batch = files[start : start + BATCH]
        pixels = {path: _pixels(classifier, path) for path in batch}
        readable = [image for image in pixels.values() if isinstance(image, Tensor)]
        best = iter(classifier.classify(torch.cat(readable), class_names, task=task).best(k) if readable else ())
        for path, image in pixels.items():
            yield Predicted(path, tuple(next(best))) if isinstance(image, Tensor) else Predicted(path, fault=image)


def _pixels(classifier: Classifier, path: Path) -> Tensor | str:
    """Pixels (1, 3, H, W) of a file, or the reason for having none."""
    try:
        return classifier.pixels(path)
    except DepthubError as error:
        return str(error)


def _below(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """All pictures below a folder; links to folders are followed, but not back to one above."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for entry in children(folder):
        path = folder / entry.name
        if kind(path) == FOLDER:
            yield from _below(path, above | {here})
        elif path.suffix.lower() in SUFFIXES:
            yield path
