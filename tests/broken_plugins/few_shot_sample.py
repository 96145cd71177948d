"""A sample that the seed does not govern."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from depthub import Count, Data, Protocol, Stage, Task, few_shot


class Lucky(Protocol):
    """Draws with a seed that it draws itself."""

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        sample = few_shot(source, shots, random.randrange(1000))
        return [Stage(Task("all", sample, source.classes), (Task("all", source.test, source.classes),))]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        return {"accuracy": counts["all"].percent}
