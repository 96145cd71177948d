"""A score that is not what it is declared as."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from depthub import Count, Data, Protocol, Stage, Task, few_shot


class Averaging(Protocol):
    """Declares a harmonic mean and reports the mean."""

    headline = "HM"
    harmonic = {"HM": ("first", "second")}  # noqa: RUF012 - as a plugin's author writes it

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        rows = [*range(len(source.test))]
        halves = {"first": source.test.take(rows[::2]), "second": source.test.take(rows[1::2])}
        tests = tuple(Task(name, half, source.classes) for name, half in halves.items())
        return [Stage(Task("all", few_shot(source, shots, seed), source.classes), tests)]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        first, second = counts["first"].percent, counts["second"].percent
        return {"first": first, "second": second, "HM": (first + second) / 2}
