"""Two rows of a board image by image: on which test images one of them is right with more seeds than the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthub.errors import DepthubError
from depthub.records.result import RunResult
from depthub.statistics.comparisons import holm, mcnemar

Cells = Mapping[tuple[str, int], RunResult]  # by data set and seed


@dataclass(frozen=True)
class Pair:
    """A task of a data set in two rows.

    Args:
        data: the data set.
        task: the test task.
        images: their number.
        difference: of the mean accuracies, the first minus the second, in points.
        first, second: images that this row classifies correctly with more seeds than the other.
        p_value: of the exact test that these are equally many (McNemar's with one seed), images being the units: would the difference be
            there on other images of these data sets, with these trained models?
        corrected: the same for all tasks of the comparison together (Holm).
    """

    data: str
    task: str
    images: int
    difference: float
    first: int
    second: int
    p_value: float
    corrected: float = 1.0


def pairs(one: Cells, other: Cells) -> list[Pair]:
    """Every task of every data set with predictions of the same images in both rows, over the seeds that both have.

    Raises:
        DepthubError: if the rows have nothing in common.
    """
    compared: dict[tuple[str, str], Pair] = {}
    common = sorted(one.keys() & other.keys())
    for data in dict.fromkeys(name for name, _ in common):
        runs = [(one[cell], other[cell]) for cell in common if cell[0] == data]
        for task in [task for task in runs[0][0].counts if all(_comparable(*pair, task) for pair in runs)]:
            compared[data, task] = _pair(data, task, [tuple(_right(run, task) for run in pair) for pair in runs])
    if not compared:
        raise DepthubError("the two rows have no predictions of the same images; rows of one board with predictions can be compared")
    corrected = holm({key: pair.p_value for key, pair in compared.items()})
    return [Pair(**{**vars(pair), "corrected": corrected[key]}) for key, pair in compared.items()]


def _comparable(one: RunResult, other: RunResult, task: str) -> bool:
    recorded = all(task in run.predictions and task in run.tasks for run in (one, other))
    return recorded and one.tasks[task].images_sha256 == other.tasks[task].images_sha256 != ""


def _right(run: RunResult, task: str) -> NDArray[np.int64]:
    predictions = run.predictions[task]
    right: NDArray[np.int64] = (predictions.predicted == predictions.labels).astype(np.int64)
    return right


def _pair(data: str, task: str, right: list[tuple[NDArray[np.int64], ...]]) -> Pair:
    try:
        surplus = sum(first - second for first, second in right)
    except ValueError as error:  # other numbers of images in seeds of their own
        raise DepthubError(f"{data}, task {task!r}: seeds have other test images, which cannot be compared image by image") from error
    first, second = (int((sign * np.asarray(surplus) > 0).sum()) for sign in (1, -1))
    difference = float(np.asarray(surplus).mean()) / len(right) * 100
    return Pair(data, task, len(right[0][0]), difference, first, second, mcnemar(first, second))
