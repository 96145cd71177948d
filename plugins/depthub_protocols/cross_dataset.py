"""From one data set to others with other classes. CoCoOp, https://arxiv.org/abs/2203.05557."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from depthub import Count, Data, DepthubError, Protocol, Stage, Task, few_shot

SOURCE = "source"


class CrossDataset(Protocol):
    """Train on all classes of one data set; test on it and on all classes of others.

    Reports the accuracy on the source, on each target by its name, and the average over the targets, in percent. No head was trained on
    the targets' classes, so that under DePT image-text matching decides there alone.

    Args:
        targets: data sets to test on; empty: those that the source declares.
    """

    def __init__(self, *, targets: Sequence[str] = ()) -> None:
        self.targets = tuple(targets)

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        names = self.targets or source.targets
        if not names:
            raise DepthubError(
                f"{source.classes.space!r} declares no targets; name data sets to test on: --protocol.targets '[NAME, NAME]'"
            )
        tests = [Task(SOURCE, source.test, source.classes), *(_target(name, load(name), source) for name in names)]
        sample = few_shot(source, shots, seed)
        return [Stage(Task(SOURCE, sample, source.classes), tuple(tests), sample)]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        found = {name: count.percent for name, count in counts.items()}
        return found | {"average": fmean(percent for name, percent in found.items() if name != SOURCE)}


def _target(name: str, data: Data, source: Data) -> Task:
    if data.classes.space == source.classes.space:
        raise DepthubError(f"target {name!r} has the label space of the source, {data.classes.space!r}; use DomainGeneralization for it")
    return Task(name, data.test, data.classes)
