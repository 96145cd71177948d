"""A finished run's files beside its document: read when first used, and only if their digests are those of the document."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from depthub.data.listing import kind_and_size
from depthub.errors import DepthubError

if TYPE_CHECKING:  # a document alone is read without numpy
    from depthub.records.predictions import Predictions

CLOSE = 1e-4  # between a float32 sum and its parts, relative


class StoredPredictions(Mapping[str, "Predictions"]):
    """A run's predictions by task, read from its folder when first used, and compared with its document.

    Args:
        path: the file.
        classes: number of classes of each test task.
        size: of the file, in bytes.
        sha256: of the file's bytes.
    """

    def __init__(self, path: Path, classes: Mapping[str, int], size: int, sha256: str) -> None:
        self.path, self.classes, self.size, self.sha256 = path, dict(classes), size, sha256
        self._by_task: dict[str, Predictions] | None = None

    def __getitem__(self, task: str) -> Predictions:
        if self._by_task is None:
            self._by_task = self._read()
        return self._by_task[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self.classes)

    def __len__(self) -> int:
        return len(self.classes)

    def _read(self) -> dict[str, Predictions]:
        if hashlib.sha256(content(self.path, self.size)).hexdigest() != self.sha256:
            raise DepthubError(
                f"{self.path} is not the file that the run beside it was written with; delete the run's folder and run it again"
            )
        by_task = _predictions(self.path)
        if (classes := {task: of_task.n_classes for task, of_task in by_task.items()}) != self.classes:
            raise DepthubError(f"{self.path} holds tasks of {classes} classes, expected {self.classes}; the file was edited, run it again")
        for task, of_task in by_task.items():
            if fault := _inconsistent(of_task):
                raise DepthubError(f"{self.path}, task {task!r}: {fault}; the file was edited, delete the run's folder and run it again")
        return by_task


def content(path: Path, largest: int) -> bytes:
    """The content of a file.

    Args:
        path: the file.
        largest: its largest size, in bytes.

    Raises:
        DepthubError: for anything but a regular file of at most that size: reading a pipe or a device would never end.
    """
    obstacle, size = kind_and_size(path)
    if obstacle:
        raise DepthubError(f"cannot read {path}: it is {obstacle}; expected a file that a run wrote")
    if size > largest:
        raise DepthubError(f"cannot read {path}: it has {size} bytes, expected at most {largest}; no run wrote it so")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DepthubError(f"cannot read {path}: {error.strerror or error}") from error


def _predictions(path: Path) -> dict[str, Predictions]:
    from depthub.records import predictions

    try:
        return predictions.read(path)
    except (TypeError, AttributeError, IndexError) as error:  # arrays of other types and dimensions
        raise DepthubError(f"{path} is damaged: {' '.join(str(error).split())}; delete the run's folder and run it again") from error


def _inconsistent(of_task: Predictions) -> str:
    """A contradiction in the predictions; empty if there is none."""
    import numpy as np

    most = of_task.scores[:, 0]
    named = of_task.best == of_task.labels[:, None]
    ordered = np.sort(of_task.best, axis=1)
    if (np.diff(of_task.scores, axis=1) > 0).any():
        return "scores are not in order"
    if (np.diff(ordered, axis=1) == 0).any():
        return "a class is among an image's best ones twice"
    if (of_task.log_sum_exp < most - CLOSE * (1 + np.abs(most))).any():
        return "a probability is above 1"
    if (of_task.scores[named] != of_task.true[named.any(axis=1)]).any():
        return "the score of the true class is not the one among the best"
    return ""
