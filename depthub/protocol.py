"""Evaluation protocols: the tasks of training, the tasks of testing, and the scores of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, final

from depthub.errors import DepthubError

if TYPE_CHECKING:
    from depthub.data.dataset import Data, Examples
    from depthub.types import ClassSet


@dataclass(frozen=True)
class Task:
    """Labelled images over one class set.

    Args:
        name: of a test task, its name in the run's counts ("base"); different for all test tasks of a run.
        examples: N images, at least one. Their labels, 0 to M - 1, index `classes` and not the data set's classes;
            `Examples.restricted_to` relabels.
        classes: the M classes to tell apart; each image belongs to one of them. `ClassSet.take` gives some of a data set's classes.
        epoch: of a test task: tested after this epoch of the training, 1 to the recipe's epochs; None: after the last.
    """

    name: str
    examples: Examples
    classes: ClassSet
    epoch: int | None = None


@dataclass(frozen=True)
class Stage:
    """One training and its tests. A stage begins with a new method and head.

    Args:
        train: the training task.
        tests: the test tasks, at least one; their names are the run's tasks. No training image may be among their images.
        sample: the few-shot sample behind `train`, over all classes of the data set, for the record; None: the images of `train`.
    """

    train: Task
    tests: tuple[Task, ...]
    sample: Examples | None = None

    @property
    def drawn(self) -> Examples:
        """The few-shot sample: the training images, over all classes."""
        return self.train.examples if self.sample is None else self.sample


@dataclass(frozen=True)
class Count:
    """Correct predictions among all test images of a task: the integers behind every score.

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


@dataclass(frozen=True)
class Summary:
    """How a protocol's scores combine over seeds and over data sets, and the score for ranking.

    Args:
        headline: the score that ranks methods.
        harmonic: score to two others, of which it is the harmonic mean. Its average over seeds, and over data sets, is the harmonic
            mean of their averages. Every other score is averaged by the mean.
    """

    headline: str
    harmonic: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Protocol(ABC):
    """Turns data sets into stages, and counts into scores. It neither trains nor reads an image.

    The name of the class is the protocol's name. The keywords of its constructor are its settings: each has a type and a default that
    JSON can hold, and stands under `Args:` of the class. The same arguments give the same stages in every process: all randomness comes
    from `seed`.

    Attributes:
        headline: the score that ranks methods; empty: the last one.
        harmonic: score to two others, of which it is the harmonic mean in every run; see `Summary` and `harmonic_of`.
        added: as in `Method`.
    """

    headline: ClassVar[str] = ""
    harmonic: ClassVar[Mapping[str, tuple[str, str]]] = {}
    added: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The settings in the one form that equal runs share: of several forms with the same numbers, always the same one.

        Args:
            settings: all of the constructor's, by name.
        """
        return settings

    @abstractmethod
    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        """One stage for each training, in the order of execution.

        Args:
            source: the run's data set, with its name in every split.
            load: loads further data sets by name; they become part of the run's identity.
            shots: training images per class; `few_shot` draws them.
            seed: seed of the few-shot sampling.

        Raises:
            DepthubError: for data unfit for this protocol, for example too few classes.
        """

    @abstractmethod
    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        """The run's scores, from nothing but the counts: they are computed again whenever a result is read.

        Args:
            counts: correct predictions and images of every test task of all stages, by the task's name.

        Returns:
            Scores in percent, 0 to 100, by name; at least one. `harmonic` declares every score with another average than the plain mean.
        """

    def harmonic_of(self, scores: Sequence[str]) -> Mapping[str, tuple[str, str]]:
        """Score to two others, of which it is the harmonic mean, where settings or counts decide which scores there are.

        Args:
            scores: names of the scores of a run.

        Returns:
            As `harmonic`, which is the default.
        """
        return self.harmonic

    @final
    def summary(self, scores: Iterable[str]) -> Summary:
        """How these scores combine, as the protocol declares it.

        Args:
            scores: names of the scores of a run.

        Raises:
            DepthubError: if the declaration names a missing score.
        """
        names = list(scores)
        harmonic = self.harmonic_of(names)
        declared = [self.headline, *harmonic, *(part for parts in harmonic.values() for part in parts)]
        missing = [name for name in declared if name and name not in names]
        if missing:
            raise DepthubError(f"protocol {type(self).__name__} declares score {missing[0]!r}, but reports {', '.join(names) or 'none'}")
        return Summary(self.headline or names[-1], {name: (one, other) for name, (one, other) in harmonic.items()})
