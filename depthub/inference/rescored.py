"""Counts of a finished run on other test tasks than its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from depthub.protocol import Count
from depthub.records.predictions import Predictions
from depthub.spec import DataSpec
from depthub.types import ClassSet


@dataclass(frozen=True, eq=False)
class RescoredTask:
    """Predictions for the images of one task.

    Args:
        predictions: class indices are rows of the classes to tell apart.
        images_sha256: of the ids and labels of the images as the data set has them, as `fewshot.fingerprint` computes it.
    """

    predictions: Predictions
    images_sha256: str

    @property
    def count(self) -> Count:
        """Correct predictions in all and by class."""
        return self.predictions.count()

    def as_dict(self) -> dict[str, Any]:
        """Plain data fit for JSON, as a run's document has it; `value` in percent."""
        count = self.count
        totals = {"metric": "top1", "n_correct": count.n_correct, "n_total": count.n_total, "value": count.percent}
        return totals | {"per_class": [list(row) for row in count.per_class], "images_sha256": self.images_sha256}


@dataclass(frozen=True, eq=False)
class Rescored:
    """Counts of a finished run on test tasks that were not its own.

    Args:
        run_id: of the run.
        data: the data set of the images, without its place.
        joint: whether each task's images were classified among the classes of all tasks.
        classes: the M classes to tell apart.
        tasks: the predictions by task.
        scores: in percent, as the run's protocol derives them from these counts; empty for a data set outside the protocol.
        notes: remarks for a reader of the numbers, one line each.
    """

    run_id: str
    data: DataSpec
    joint: bool
    classes: ClassSet
    tasks: Mapping[str, RescoredTask]
    scores: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data fit for JSON; counts are integers, values and scores in percent."""
        return {
            "run_id": self.run_id,
            "data": self.data.as_dict(),
            "joint": self.joint,
            "classes": list(self.classes.names),
            "measurements": [{"task": name, **task.as_dict()} for name, task in self.tasks.items()],
            "scores": {name: float(value) for name, value in self.scores.items()},
            "notes": list(self.notes),
        }
