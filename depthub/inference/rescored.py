"""Counts of a finished run on other test tasks than its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from depthub.protocol import Count
from depthub.records.predictions import Predictions
from depthub.spec import DataSpec
from depthub.statistics.trade_off import TradeOff
from depthub.types import ClassSet

ScoredBy = Literal["head", "itm", "rows"]  # how a head reads trained classes beside new ones, see `rescore_jointly`


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
        scored_by: how the head read the classes: "head", "itm" or "rows", see `rescore_jointly`.
        trade_off: of trained against new classes; None unless one of two tasks, classified jointly, has trained classes and the other new
            ones.
    """

    run_id: str
    data: DataSpec
    joint: bool
    classes: ClassSet
    tasks: Mapping[str, RescoredTask]
    scores: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    scored_by: str = "head"
    trade_off: TradeOff | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data fit for JSON; counts are integers, values and scores in percent, the area a fraction."""
        return {
            "run_id": self.run_id,
            "data": self.data.as_dict(),
            "joint": self.joint,
            "reading": self.scored_by,
            "classes": list(self.classes.names),
            "measurements": [{"task": name, **task.as_dict()} for name, task in self.tasks.items()],
            "scores": {name: float(value) for name, value in self.scores.items()},
            "trade_off": asdict(self.trade_off) if self.trade_off else None,
            "notes": list(self.notes),
        }
