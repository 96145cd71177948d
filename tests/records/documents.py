"""Run documents to edit: a result, its edits, and the refusal of reading it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import depthub
from depthub.errors import DepthubError
from depthub.protocol import Count, Summary
from depthub.records import document as document_of, predictions
from depthub.records.predictions import Predictions
from depthub.records.result import TrainedStage
from depthub.records.store import RunResult, Sample, Store, dumps, read
from depthub.spec import RunSpec, Training, digest
from depthub.types import ClassSet

SPEC = RunSpec(training=Training())


CLASSES = ClassSet("four", (0, 1), ("oak", "ash")), ClassSet("four", (2, 3), ("elm", "fir"), templates=(("coop", "a leaf of {}."),))


SAMPLE = Sample("base", "tones", ("b.jpg", "a.jpg", "c.jpg"), (1, 0, 2), ("sorted first",))


RESULT = RunResult(
    SPEC,
    {"base": Count(3, 5, ((1, 2, 2), (2, 3, 3))), "new": Count(1, 3)},
    {"base": 60.0, "new": 100 / 3, "H": 300 / 7},
    {"python": "3.11.0"},
    {"params_trainable": 0},
    ("few images",),
    (SAMPLE,),
    Summary("H", {"H": ("base", "new")}),
    {"base": depthub.TestedTask(CLASSES[0], (("an oak.", "an ash."),), "0" * 64), "new": depthub.TestedTask(CLASSES[1])},
    (TrainedStage("base", CLASSES[0], ("base", "new")),),
)


def put(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def edit(fields: dict[str, Any]) -> None:
        inner: Any = fields
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to

    return edit


def drop(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda fields: fields.__delitem__(key)


def edits(*edits: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    def edit(fields: dict[str, Any]) -> None:
        for one in edits:
            one(fields)

    return edit


def signed(fields: dict[str, Any]) -> bytes:
    """A document with its digests computed again, as anybody can."""
    fields["run_id"] = digest(fields["spec"])
    fields["sha256"] = digest({key: value for key, value in fields.items() if key != "sha256"})
    return dumps(fields)


def refusal(path: Path) -> str:
    """What reading it is refused with: one line that names a file in the folder."""
    with pytest.raises(DepthubError) as caught:
        read(path)
    reason = str(caught.value)
    assert "\n" not in reason
    assert str(path.parent if path.suffix else path) in reason
    return reason


NESTED = {"name": "DePT", "settings": {"cat": {"name": "CAT", "settings": 3}}}


def predictions_of(count: Count) -> Predictions:
    """Predictions among two classes with these counts of right ones, in the order of the classes."""
    labels = [label for label, (_, images, _) in enumerate(count.per_class) for _ in range(images)]
    best = [[row, 1 - row] for label, (c, n, _) in enumerate(count.per_class) for row in [label] * c + [1 - label] * (n - c)]
    scores = np.array([[2.0, 1.0]] * len(labels), np.float32)
    true = np.array([2.0 if row[0] == label else 1.0 for row, label in zip(best, labels, strict=True)], np.float32)
    sums = np.log(np.exp(scores.astype(np.float64)).sum(axis=1)).astype(np.float32)
    return Predictions(np.array(labels, np.int32), np.array(best, np.int32), scores, true, sums, 2)


COUNTED = replace(
    RESULT,
    counts={"base": Count(3, 5, ((1, 2, 2), (2, 3, 3))), "new": Count(1, 3, ((1, 2, 2), (0, 1, 1)))},
)


KEPT = {task: predictions_of(count) for task, count in COUNTED.counts.items()}


def save_counted(folder: Path, result: RunResult = COUNTED) -> Path:
    return Store(folder).save(result, {document_of.PREDICTIONS: predictions.dumps(KEPT)})
