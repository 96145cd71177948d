"""A protocol that trains twice in one run, with a test after an early epoch of each training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from depthub import Count, Data, Protocol, Stage, Task, few_shot


class TwoTrainings(Protocol):
    """Train on every second class, and anew on the others; test each on its own classes.

    Args:
        third: the epoch of the second training's early test.
    """

    def __init__(self, *, third: Any = 3) -> None:
        self.third = third

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        sample = few_shot(source, shots, seed)

        def stage(name: str, rows: list[int], *tests: tuple[str, int | None]) -> Stage:
            classes, images = source.classes.take(rows), source.test.restricted_to(rows)
            return Stage(
                Task(name, sample.restricted_to(rows), classes), tuple(Task(test, images, classes, epoch) for test, epoch in tests), sample
            )

        labels = sorted(set(sample.labels))
        return [
            stage("even", labels[::2], ("even", None), ("even, first", 1)),
            stage("odd", labels[1::2], ("odd, third", self.third), ("odd", None)),
        ]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        return {task: count.percent for task, count in counts.items()}
