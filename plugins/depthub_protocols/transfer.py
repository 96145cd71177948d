"""The common part of protocols with tests on further data sets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import ClassVar

from depthub import Count, Data, DepthubError, Protocol, Stage, Task, few_shot

SOURCE, AVERAGE = "source", "average"  # scores besides those of the other data sets


class Transfer(Protocol):
    """Train on all classes of one data set; test on it and on others.

    Reports the accuracy on the source, on each of the others by its name, and the average over the others, in percent.
    """

    headline: ClassVar[str] = AVERAGE
    others: ClassVar[str]  # field of `Data`, and setting of the protocol, with the names of the other data sets

    @abstractmethod
    def names(self, source: Data) -> Sequence[str]:
        """The other data sets."""

    @abstractmethod
    def task(self, name: str, data: Data, source: Data) -> Task:
        """The test on one of them.

        Args:
            name: its name, without the path of a user's own pictures.
            data: its classes and images.
            source: the data set of the training.

        Raises:
            DepthubError: if it does not fit the source.
        """

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        names, others = self.names(source), self.others
        if not names:
            raise DepthubError(
                f"{source.classes.space!r} declares no {others}; name data sets to test on: --protocol.{others} '[NAME, NAME]'"
            )
        if reserved := [name for name in names if name in (SOURCE, AVERAGE)]:
            raise DepthubError(
                f"{others} has a data set {reserved[0]!r}, which is the name of another score; give the data set another name"
            )
        loaded = [(name, load(name)) for name in names]
        tests = [Task(SOURCE, source.test, source.classes), *(self.task(data.test.source or name, data, source) for name, data in loaded)]
        sample = few_shot(source, shots, seed)
        return [Stage(Task(SOURCE, sample, source.classes), tuple(tests), sample)]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        percent = {name: count.percent for name, count in counts.items()}
        return percent | {AVERAGE: fmean(accuracy for name, accuracy in percent.items() if name != SOURCE)}
