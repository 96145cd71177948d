"""From base classes to new ones of the same data set. CoCoOp, https://arxiv.org/abs/2203.05557."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import harmonic_mean
from typing import ClassVar

from depthub import Count, Data, DepthubError, Protocol, Stage, Task, few_shot


class BaseToNew(Protocol):
    """Train on the first half of the classes; test on both halves.

    Labels are sorted; the first half, rounded up, is base. Reports base and new accuracy and their harmonic mean H, in percent.
    """

    headline: ClassVar[str] = "H"
    harmonic: ClassVar[Mapping[str, tuple[str, str]]] = {"H": ("base", "new")}

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        sample = few_shot(source, shots, seed)
        labels = sorted(set(sample.labels))
        if len(labels) < 2:
            raise DepthubError(f"BaseToNew needs at least 2 classes, the data set has {len(labels)}")
        half = (len(labels) + 1) // 2
        base, new = labels[:half], labels[half:]
        tests = tuple(
            Task(name, source.test.restricted_to(rows), source.classes.take(rows)) for name, rows in (("base", base), ("new", new))
        )
        return [Stage(Task("base", sample.restricted_to(base), source.classes.take(base)), tests, sample)]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        base, new = counts["base"].percent, counts["new"].percent
        return {"base": base, "new": new, "H": float(harmonic_mean([base, new]))}
