"""Which training images a run may see: the field's few-shot sampling."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from depthub.data.dataset import Data, Examples

VAL_SHOTS = 4  # validation images a class at the most, as published; drawn after the training images from the same generator


def few_shot(data: Data, shots: int, seed: int) -> Examples:
    """`shots` training images a class, the very ones that the published code draws from the same list with the same seed.

    Drawn over all classes, before any division into base and new. A class with fewer images keeps all it has, in list order.
    """
    return data.train.take(draw(data.train.labels, shots, random.Random(seed)))


def draw(labels: Sequence[int], shots: int, generator: random.Random) -> list[int]:
    """Rows of `shots` items a label, classes in order of first appearance.

    A label with too few items does not advance the generator: that, too, is part of the published rule.
    """
    rows: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        rows[label].append(row)
    return [row for own in rows.values() for row in (generator.sample(own, shots) if len(own) >= shots else own)]


def draw_both(train: Sequence[int], val: Sequence[int], shots: int, seed: int) -> tuple[list[int], list[int]]:
    """Rows drawn from the training and the validation labels, one after the other from one generator."""
    generator = random.Random(seed)
    return draw(train, shots, generator), draw(val, min(shots, VAL_SHOTS), generator)
