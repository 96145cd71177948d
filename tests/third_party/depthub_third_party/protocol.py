"""Train on all classes, test on all classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from depthub import Count, Data, Protocol, Stage, Task, few_shot


class AllClasses(Protocol):
    """Few-shot classification without held-out classes; reports accuracy in percent."""

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        return [Stage(Task("all", few_shot(source, shots, seed), source.classes), (Task("all", source.test, source.classes),))]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        return {"accuracy": counts["all"].percent}
