"""What protocols that test on other data sets than they train on have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import ClassVar

from depthub import Count, Data, DepthubError, Protocol, Stage, Task, few_shot

SOURCE = "source"


class Transfer(Protocol):
    """Train on all classes of one data set; test on it and on others.

    Reports the accuracy on the source, on each of the others by its name, and the average over the others, in percent.
    """

    others: ClassVar[str]  # what a data set calls the others that it declares

    @abstractmethod
    def names(self, source: Data) -> Sequence[str]:
        """The other data sets."""

    @abstractmethod
    def task(self, name: str, data: Data, source: Data) -> Task:
        """The test on one of them.

        Raises:
            DepthubError: if it does not fit the source.
        """

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        names, others = self.names(source), self.others
        if not names:
            raise DepthubError(
                f"{source.classes.space!r} declares no {others}; name data sets to test on: --protocol.{others} '[NAME, NAME]'"
            )
        tests = [Task(SOURCE, source.test, source.classes), *(self.task(name, load(name), source) for name in names)]
        sample = few_shot(source, shots, seed)
        return [Stage(Task(SOURCE, sample, source.classes), tuple(tests), sample)]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        found = {name: count.percent for name, count in counts.items()}
        return found | {"average": fmean(percent for name, percent in found.items() if name != SOURCE)}
