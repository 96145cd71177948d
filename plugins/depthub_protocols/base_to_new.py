"""From base classes to new ones of the same data set. CoCoOp, https://arxiv.org/abs/2203.05557."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from statistics import harmonic_mean
from typing import Any, ClassVar, Literal

from depthub import Count, Data, DepthubError, Protocol, Stage, Task, few_shot


class BaseToNew(Protocol):
    """Train on the first half of the classes; test on both halves.

    Labels are sorted; the first half, rounded up, is base. Reports base and new accuracy and their harmonic mean H, in percent.

    Args:
        cut: "published": as above; a number: the half is that of a shuffle of the sorted labels with this seed, which tells how much a
            result owes to the published division.
    """

    added: ClassVar[Mapping[str, Any]] = {"cut": "published"}
    headline: ClassVar[str] = "H"
    harmonic: ClassVar[Mapping[str, tuple[str, str]]] = {"H": ("base", "new")}

    def __init__(self, *, cut: Literal["published"] | int = "published") -> None:
        if isinstance(cut, int) and cut < 0:
            raise DepthubError(f"BaseToNew: cut is {cut}, expected published, or the seed of a shuffle, at least 0")
        self.cut = cut

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        sample = few_shot(source, shots, seed)
        labels = sorted(set(sample.labels))
        if len(labels) < 2:
            raise DepthubError(f"BaseToNew needs at least 2 classes, the data set has {len(labels)}")
        base, new = self._divided(labels)
        tests = tuple(
            Task(name, source.test.restricted_to(rows), source.classes.take(rows)) for name, rows in (("base", base), ("new", new))
        )
        return [Stage(Task("base", sample.restricted_to(base), source.classes.take(base)), tests, sample)]

    def _divided(self, labels: list[int]) -> tuple[list[int], list[int]]:
        """Base and new labels, each sorted."""
        half = (len(labels) + 1) // 2
        if self.cut != "published":
            # By digests: a generator's shuffle could change with the version of Python.
            order = sorted(labels, key=lambda label: hashlib.sha256(f"cut {self.cut} label {label}".encode()).digest())
            return sorted(order[:half]), sorted(order[half:])
        return labels[:half], labels[half:]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        base, new = counts["base"].percent, counts["new"].percent
        return {"base": base, "new": new, "H": float(harmonic_mean([base, new]))}
