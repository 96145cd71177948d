"""The field's few-shot sampling: a few training images per class."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence

from depthub.data.dataset import Data, Examples
from depthub.errors import DepthubError

VAL_SHOTS = 4  # at most so many validation images per class, as published; drawn after the training images by the same generator


def few_shot(data: Data, shots: int, seed: int) -> Examples:
    """`shots` training images per class: the same images as the published code draws from the same list with the same seed.

    Drawn over all classes, before any division into base and new. A class with fewer images keeps all of them, in list order.

    Raises:
        DepthubError: if the data set has no training images.
    """
    if not data.train.ids:
        raise DepthubError(f"this data set of {data.classes.space!r} has test images only; train on another one and test on it")
    return data.train.take(draw(data.train.labels, shots, random.Random(seed)))


def draw(labels: Sequence[int], shots: int, generator: random.Random) -> list[int]:
    """Rows of `shots` items per label, labels in order of first appearance.

    A label with too few items does not advance the generator: that, too, is part of the published rule.
    """
    by_label: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        by_label[label].append(row)
    drawn = [generator.sample(rows, shots) if len(rows) >= shots else rows for rows in by_label.values()]
    return [row for rows in drawn for row in rows]


def draw_both(train: Sequence[int], val: Sequence[int], shots: int, seed: int) -> tuple[list[int], list[int]]:
    """Rows drawn from the training and the validation labels, one after the other from one generator."""
    generator = random.Random(seed)
    return draw(train, shots, generator), draw(val, min(shots, VAL_SHOTS), generator)


def fingerprint(ids: Iterable[str], labels: Iterable[int]) -> str:
    """SHA-256 over the lines `id TAB label LF` of a sample, in the order of the draw: identifies a published sample."""
    return hashlib.sha256("".join(f"{name}\t{label}\n" for name, label in zip(ids, labels, strict=True)).encode()).hexdigest()
