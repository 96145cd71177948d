"""What an evaluation protocol is: which tasks to train on, which to test on, what to report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
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
        examples: N images, at least one; their labels are 0 to M - 1 and index `classes`, not the data set's classes:
            `Examples.restricted_to` relabels.
        classes: the M classes to tell apart, each image belonging to one of them; `ClassSet.take` gives some of a data set's.
    """

    name: str
    examples: Examples
    classes: ClassSet


@dataclass(frozen=True)
class Stage:
    """Train on one task, then test on each of the others. A stage begins with a new method and head.

    Args:
        train: what is trained on.
        tests: what is tested on, at least one task; their names are the run's tasks. No training image may be among their images.
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


@dataclass(frozen=True)
class Summary:
    """How a protocol's scores combine over seeds and over data sets, and which of them ranks.

    Args:
        headline: the score that methods are ranked by.
        harmonic: score to the two scores that it is the harmonic mean of. Its average is the harmonic mean of their averages, over seeds
            as over data sets. Every other score is averaged by the mean.
    """

    headline: str
    harmonic: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Protocol(ABC):
    """Turns data sets into stages, and counts into scores. It neither trains nor reads an image.

    A subclass is named by its class's name. Its constructor's keywords are its settings, each with a type and a default that JSON has,
    documented under `Args:` of the class. The same arguments give the same stages in every process: chance comes from `seed` alone.

    Attributes:
        headline: the score that methods are ranked by; empty: the last one.
        harmonic: score to the two other scores that it is the harmonic mean of, in every run; see `Summary`.
    """

    headline: ClassVar[str] = ""
    harmonic: ClassVar[Mapping[str, tuple[str, str]]] = {}

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The settings in the spelling that equal runs share: where two spellings or an unused value give the same numbers, one of them.

        Args:
            settings: all of the constructor's, by name.
        """
        return settings

    @abstractmethod
    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        """What to train and test; one stage for each training, in the order they are carried out.

        Args:
            source: the run's data set, with its name in every split.
            load: gives further data sets by name; what is loaded here is part of the run's identity.
            shots: training images a class; `few_shot` draws them.
            seed: of the few-shot sampling.

        Raises:
            DepthubError: for data that this protocol cannot use, such as too few classes.
        """

    @abstractmethod
    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        """What the run reports, from nothing but the counts: it is computed again whenever a result is read.

        Args:
            counts: correct predictions and images of every test task of all stages, by name.

        Returns:
            Scores in percent, 0 to 100, by name; at least one. Those whose average over runs is no plain mean are declared in `harmonic`.
        """

    @final
    def summary(self, scores: Iterable[str]) -> Summary:
        """How these scores combine, as far as the protocol declares it.

        Args:
            scores: names, as `scores` gives them.

        Raises:
            DepthubError: if the declaration names a score that is not there.
        """
        names = list(scores)
        declared = [self.headline, *self.harmonic, *(part for parts in self.harmonic.values() for part in parts)]
        if lacking := [name for name in declared if name and name not in names]:
            raise DepthubError(f"protocol {type(self).__name__} declares score {lacking[0]!r}, but reports {', '.join(names) or 'none'}")
        return Summary(self.headline or names[-1], {name: (one, other) for name, (one, other) in self.harmonic.items()})
