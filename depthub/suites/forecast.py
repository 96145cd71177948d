"""Forecasts: seconds of runs to come, from the costs of runs before, else from counted operations and a rate.

A run's cost is looked up from the most alike to the least: the same method, head, data set, backbone and recipe (another seed); the same
method, data set and backbone; the same method and backbone, by training steps. Where no run of the method and backbone is there, operations
are counted (`depthub.suites.operations`) and divided by a rate in operations per second; images that are read take a time of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from depthub.running.resolved import Resolved

READING = 0.004  # seconds for an image from its file to a view, see benchmarks/README.md
PARTS = ("encode_s", "train_s", "eval_s")


@dataclass(frozen=True)
class Estimate:
    """The expected cost of a run.

    Args:
        seconds: of one process.
        source: "runs" or "operations".
        device_bytes: memory of the accelerator; 0: not known, or none.
    """

    seconds: float
    source: str
    device_bytes: int = 0


@dataclass
class Forecast:
    """Estimates from a store's runs.

    Args:
        rate: operations per second where there are no runs to go by; 0: none is stated.
        work: counts the operations of a run, and the images that it reads.
    """

    rate: float = 0.0
    work: Callable[[Resolved], tuple[float, int]] | None = None
    _costs: list[dict[Hashable, list[tuple[float, int]]]] = field(default_factory=lambda: [{}, {}, {}])

    def learn(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Take the costs of finished runs into account.

        Args:
            documents: of the runs; `spec`, `cost` and `samples` are enough.
        """
        for document in documents:
            spec, cost = document["spec"], document["cost"]
            seconds = sum(float(cost.get(part) or 0) for part in PARTS)
            samples = [len(sample["ids"]) for sample in document.get("samples", ())]
            memory = int(cost.get("peak_device_bytes") or 0)
            for level, (key, per) in enumerate(_keys(spec, _steps(spec, samples))):
                self._costs[level].setdefault(key, []).append((seconds / per, memory))

    def __call__(self, run: Resolved) -> Estimate | None:
        """The estimate for a run; None if there is nothing to go by."""
        samples = [len(stage.drawn) for stage in run.stages]  # as documents hold them
        spec = run.spec.without_places().as_dict()
        for level, (key, per) in enumerate(_keys(spec, _steps(spec, samples))):
            if costs := self._costs[level].get(key):
                return Estimate(per * median(seconds for seconds, _ in costs), "runs", max(memory for _, memory in costs))
        if self.rate and self.work:
            operations, images = self.work(run)
            return Estimate(operations / self.rate + READING * images, "operations")
        return None


def _steps(spec: Mapping[str, Any], samples: Sequence[int]) -> float:
    """Training steps, at least 1; `samples` are the images of each training, as drawn."""
    training = spec["training"]
    if "steps_per_shot" in training:
        return max(1.0, float(training["steps_per_shot"]) * float(spec["shots"]) * len(samples))
    return max(1.0, float(training["epochs"]) * max(1, sum(samples)) / float(training["batch_size"]))


def _keys(spec: Mapping[str, Any], steps: float) -> Sequence[tuple[Hashable, float]]:
    """(key, unit) from the most alike runs to the least; costs are kept per unit."""
    method, backbone, data = spec["method"]["name"], str(spec["backbone"]), spec["data"]["name"]
    recipe = (str(spec["method"]["settings"]), str(spec["head"]), str(spec["training"]), spec["shots"], str(spec["protocol"]))
    return [((method, backbone, data, recipe), 1.0), ((method, backbone, data), steps), ((method, backbone), steps)]
