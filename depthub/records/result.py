"""A run's result in memory: counts, scores, the classes and images behind them, and their provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthub.data.fewshot import fingerprint
from depthub.errors import UnknownNameError
from depthub.protocol import Count, Summary
from depthub.spec import RunSpec
from depthub.types import ClassSet

if TYPE_CHECKING:
    from depthub.records.predictions import Predictions


@dataclass(frozen=True)
class Sample:
    """The training images of a stage as they were drawn: over all classes, before any division into base and new.

    Args:
        task: name of the training task.
        data: name of the data set.
        ids: of the images, in the order drawn.
        labels: of the images; they index the data set's classes.
        remarks: notes of the data set on itself, for example that the order of its list is not the published one.
    """

    task: str
    data: str
    ids: tuple[str, ...]
    labels: tuple[int, ...]
    remarks: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """The fingerprint by which samples are compared, also with published ones."""
        return fingerprint(self.ids, self.labels)


@dataclass(frozen=True)
class TestedTask:
    """A test task of a run.

    Args:
        classes: the M classes to tell apart.
        sentences: the encoded sentences of the classes: one tuple of M for each template; `X` stands for a learned token. Empty: the
            method did not encode sentences.
        images_sha256: of the ids and labels of the test images, in their order, as `fewshot.fingerprint` computes it.
        epoch: tested after this epoch of the training; None: after the last.
    """

    __test__ = False  # pytest would collect it by its name

    classes: ClassSet
    sentences: tuple[tuple[str, ...], ...] = ()
    images_sha256: str = ""
    epoch: int | None = None


@dataclass(frozen=True)
class TrainedStage:
    """A training of a run, and its tests.

    Args:
        task: name of the training task.
        classes: the classes trained on.
        tests: names of the test tasks, in their order.
    """

    task: str
    classes: ClassSet
    tests: tuple[str, ...]


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Args:
        spec: of the run.
        counts: by test task.
        scores: in percent, derived from `counts` by the protocol.
        provenance: versions, plugins and hardware behind the numbers.
        cost: seconds and bytes.
        warnings: of the run to its user.
        samples: the training images, one sample per stage; empty in files from before they were recorded.
        summary: how the scores combine over seeds and data sets, and which ranks.
        tasks: the test tasks by name; empty in files of schema 1.0.
        stages: the trainings; empty in files of schema 1.0.
        predictions: by test task; empty where none were recorded.
        folder: the run's folder on disk; None for a packed run, and for one that was not saved.
        notes: checks that reading the file could not make.
        files: SHA-256 of the files beside the document, by name, as it states them.
    """

    spec: RunSpec
    counts: Mapping[str, Count]
    scores: Mapping[str, float]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    summary: Summary | None = None
    tasks: Mapping[str, TestedTask] = field(default_factory=dict)
    stages: tuple[TrainedStage, ...] = ()
    predictions: Mapping[str, Predictions] = field(default_factory=dict, compare=False, repr=False)
    folder: Path | None = field(default=None, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    files: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def headline(self) -> str:
        """The score that ranks."""
        return self.summary.headline if self.summary else list(self.scores)[-1]

    def per_class(self, task: str) -> list[dict[str, Any]]:
        """A row for each class of a test task: `class`, `n_correct`, `n_total`, `n_predicted` and `accuracy` in percent.

        Raises:
            UnknownNameError: if there is no such task.
        """
        names = self._classes(task)
        rows = self.counts[task].per_class
        return [
            {"class": name, "n_correct": c, "n_total": n, "n_predicted": p, "accuracy": 100 * c / n if n else None}
            for name, (c, n, p) in zip(names, rows, strict=True)
        ]

    def confusion(self, task: str) -> dict[str, dict[str, int]]:
        """Test images of a task by true class, then by predicted class; pairs without images are left out. Of classes that have the same
        name in the published list, the second is `NAME (2)`, and so on.

        Raises:
            UnknownNameError: if there is no such task, or no predictions of it.
        """
        names = _distinct(self._classes(task))
        if task not in self.predictions:
            raise UnknownNameError("task with predictions", task, self.predictions)
        table = self.predictions[task].confusion().tolist()
        return {
            true: {names[column]: images for column, images in enumerate(row) if images} for true, row in zip(names, table, strict=True)
        }

    def _classes(self, task: str) -> tuple[str, ...]:
        if task not in self.counts:
            raise UnknownNameError("task", task, self.counts)
        if task in self.tasks:
            return self.tasks[task].classes.names
        return tuple(map(str, range(len(self.counts[task].per_class))))  # schema 1.0 did not record the names


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, numbered from the second of equal ones on."""
    occurrences, distinct = Counter[str](), []
    for name in names:
        occurrences[name] += 1
        distinct.append(name if occurrences[name] == 1 else f"{name} ({occurrences[name]})")
    return distinct
