"""Few-shot learning of all classes of one data set. CoOp, https://arxiv.org/abs/2109.01134."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from depthub import Count, Data, Protocol, Stage, Task, few_shot

ALL = "all"


class FewShot(Protocol):
    """Train and test on all classes; published with 1, 2, 4, 8 and 16 images per class. Reports the accuracy, in percent."""

    headline: ClassVar[str] = "accuracy"

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        sample = few_shot(source, shots, seed)
        return [Stage(Task(ALL, sample, source.classes), (Task(ALL, source.test, source.classes),), sample)]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        return {"accuracy": counts[ALL].percent}
