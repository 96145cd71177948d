"""Findings of a run: the outcome of each of its test tasks so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from depthub.data.fewshot import fingerprint
from depthub.records.result import TestedTask
from depthub.running.text_features import text_of

if TYPE_CHECKING:
    from depthub.protocol import Task
    from depthub.records.predictions import Predictions
    from depthub.training.job import Labelled
    from depthub.training.tuner import Tuner

PROBE = 2  # images with which class features are computed; a method may make features for each image


@dataclass
class Findings:
    """The outcome of the test tasks of a run, by task.

    Args:
        predictions: for every test image.
        tasks: the classes to tell apart, and the sentences that name them.
        text: class features (M, d), not normalised, where they do not depend on the image; only of tasks after the last epoch, since the
            tuned parameters beside them are of that epoch.
    """

    predictions: dict[str, Predictions] = field(default_factory=dict)
    tasks: dict[str, TestedTask] = field(default_factory=dict)
    text: dict[str, Tensor] = field(default_factory=dict)

    def add(self, task: Task, predictions: Predictions, tuner: Tuner, images: Labelled) -> None:
        """Record a task.

        Args:
            task: the test task.
            predictions: for its images.
            tuner: that made them.
            images: of the task, as pixels or features with labels.
        """
        probe = torch.stack([images[i][0] for i in range(min(PROBE, len(task.examples)))])
        text, sentences = text_of(tuner, probe.to(tuner.backbone.scale.device), task.classes)
        if text is not None and task.epoch is None:
            self.text[task.name] = text
        self.put(task, predictions, sentences)

    def put(self, task: Task, predictions: Predictions, sentences: tuple[tuple[str, ...], ...]) -> None:
        """Record a task whose class features are not kept.

        Args:
            task: the test task.
            predictions: for its images.
            sentences: see `TestedTask`.
        """
        self.predictions[task.name] = predictions
        images = fingerprint(task.examples.ids, task.examples.labels)
        self.tasks[task.name] = TestedTask(task.classes, sentences, images, task.epoch)

    def take(self, others: Findings, tasks: Iterable[str]) -> None:
        """Add the findings of other tasks, in the order of their names."""
        for task in tasks:
            self.predictions[task], self.tasks[task] = others.predictions[task], others.tasks[task]
            self.text |= {task: others.text[task]} if task in others.text else {}
