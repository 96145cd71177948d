"""From one data set to others with other classes. CoCoOp, https://arxiv.org/abs/2203.05557."""

from __future__ import annotations

from collections.abc import Sequence

from depthub import Data, DepthubError, Task
from depthub_protocols.transfer import Transfer


class CrossDataset(Transfer):
    """Train on all classes of one data set; test on it and on all classes of others.

    Reports the accuracy on the source, on each target by its name, and the average over the targets, in percent. The targets' classes are
    new to every head, so that image-text matching alone decides there, also under DePT.

    Args:
        targets: data sets for testing, also `folder:PATH` and `list:FILE`; empty: the targets of the source.
    """

    others = "targets"

    def __init__(self, *, targets: Sequence[str] = ()) -> None:
        self.targets = tuple(targets)

    def names(self, source: Data) -> Sequence[str]:
        return self.targets or source.targets

    def task(self, name: str, data: Data, source: Data) -> Task:
        if data.classes.space == source.classes.space:
            raise DepthubError(
                f"target {name!r} has the label space of the source, {data.classes.space!r}; use DomainGeneralization for it"
            )
        return Task(name, data.test, data.classes)
