"""Two rows image by image, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from depthub.boards.pairs import pairs
from depthub.errors import DepthubError
from depthub.records.predictions import best_only
from depthub.records.result import RunResult, TestedTask as Tested
from depthub.types import ClassSet
from tests.boards.runs import result

CLASSES = ClassSet("two", (0, 1), ("oak", "ash"))


def run(seed: int, predicted: list[int], data: str = "tones", images: str = "a" * 64) -> RunResult:
    """A run of one task with four images, all of class 0."""
    predictions = {"base": best_only([0, 0, 0, 0], np.array(predicted, np.int32), 2)}
    counts = {"base": predictions["base"].count()}
    return replace(
        result("CoOp", data=data, seed=seed), counts=counts, predictions=predictions, tasks={"base": Tested(CLASSES, (), images)}
    )


def test_images_count_by_the_seeds_that_have_them_right() -> None:
    """Right by seed: the first row 1100 and 1110, the second 0110 and 0000; images 0, 1 and 2 differ by +2, +1 and 0."""
    one = {("tones", 1): run(1, [0, 0, 1, 1]), ("tones", 2): run(2, [0, 0, 0, 1])}
    other = {("tones", 1): run(1, [1, 0, 0, 1]), ("tones", 2): run(2, [1, 1, 1, 1]), ("tones", 3): run(3, [1, 1, 1, 1])}
    (pair,) = pairs(one, other)
    assert (pair.images, pair.first, pair.second) == (4, 2, 0)
    assert pair.difference == pytest.approx(100 * (5 - 2) / 8)
    assert pair.p_value == pair.corrected == pytest.approx(0.5)  # two of two images: 2 * 0.5 ** 2


def test_other_images_are_not_compared() -> None:
    with pytest.raises(DepthubError, match="no predictions of the same images"):
        pairs({("tones", 1): run(1, [0, 0, 0, 0])}, {("tones", 1): run(1, [0, 0, 0, 0], images="b" * 64)})
