"""Test images that no data set has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from depthub import Count, Data, Protocol, Stage, Task, few_shot


class Augmented(Protocol):
    """Tests on further images, under ids that it makes up."""

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        flipped = replace(source.test, ids=tuple(f"{name}/flipped" for name in source.test.ids))
        return [Stage(Task("all", few_shot(source, shots, seed), source.classes), (Task("all", flipped, source.classes),))]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        return {"accuracy": counts["all"].percent}
