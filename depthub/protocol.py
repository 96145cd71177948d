"""What an evaluation protocol is: which tasks to train on, which to test on, what to report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from depthub.data.dataset import Data, Examples
    from depthub.types import ClassSet


@dataclass(frozen=True)
class Task:
    """Labelled images over one class set; the labels index `classes`."""

    name: str
    examples: Examples
    classes: ClassSet


@dataclass(frozen=True)
class Stage:
    """Train on one task, then test on each of the others.

    Args:
        train: what is trained on.
        tests: what is tested on; their names are the run's tasks.
        sample: the draw that `train` was made of, over all classes of the data set, for the record; None: `train`'s own images.
    """

    train: Task
    tests: tuple[Task, ...]
    sample: Examples | None = None

    @property
    def drawn(self) -> Examples:
        """The training images as they were drawn."""
        return self.train.examples if self.sample is None else self.sample


@dataclass(frozen=True)
class Count:
    """Correct predictions among all test images of a task: the integers that every score derives from.

    Args:
        n_correct: correct predictions.
        n_total: test images.
        per_class: (correct, images, predictions) of each class, in the order of the task's classes.
    """

    n_correct: int
    n_total: int
    per_class: tuple[tuple[int, int, int], ...] = ()

    @property
    def percent(self) -> float:
        """Accuracy in percent."""
        return 100 * self.n_correct / self.n_total


class Protocol(ABC):
    """Turns data sets into stages, and counts into scores. Its constructor's keywords are its settings."""

    @abstractmethod
    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        """What to train and test.

        Args:
            source: the run's data set.
            load: gives further data sets by name.
            shots: training images a class.
            seed: of the few-shot sampling.
        """

    @abstractmethod
    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        """Scores in percent, by name; `counts` holds one entry a test task."""
