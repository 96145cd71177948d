"""What protocols that test on other data sets than they train on have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import ClassVar

from depthub import Count, Data, DepthubError, Protocol, Stage, Task, few_shot

SOURCE, AVERAGE = "source", "average"  # scores of their own beside those of the other data sets


class Transfer(Protocol):
    """Train on all classes of one data set; test on it and on others.

    Reports the accuracy on the source, on each of the others by its name, and the average over the others, in percent.
    """

    headline: ClassVar[str] = AVERAGE
    others: ClassVar[str]  # what a data set calls the others that it declares

    @abstractmethod
    def names(self, source: Data) -> Sequence[str]:
        """The other data sets."""

    @abstractmethod
    def task(self, name: str, data: Data, source: Data) -> Task:
        """The test on one of them, whose name has no place in it.

        Raises:
            DepthubError: if it does not fit the source.
        """

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        names, others = self.names(source), self.others
        if not names:
            raise DepthubError(
                f"{source.classes.space!r} declares no {others}; name data sets to test on: --protocol.{others} '[NAME, NAME]'"
            )
        if taken := [name for name in names if name in (SOURCE, AVERAGE)]:
            raise DepthubError(f"{others} has a data set {taken[0]!r}, which is the name of another score; give the data set another name")
        read = [(name, load(name)) for name in names]
        tests = [Task(SOURCE, source.test, source.classes), *(self.task(data.test.source or name, data, source) for name, data in read)]
        sample = few_shot(source, shots, seed)
        return [Stage(Task(SOURCE, sample, source.classes), tuple(tests), sample)]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        found = {name: count.percent for name, count in counts.items()}
        return found | {AVERAGE: fmean(percent for name, percent in found.items() if name != SOURCE)}
