"""Averages over seeds and over data sets, as a protocol's summary declares them, and their spread."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from depthub.errors import DepthubError
from depthub.protocol import Summary

Convention = Literal["harmonic-of-means", "mean-of-harmonics"]
CONVENTION: Convention = "harmonic-of-means"  # the field's: average the parts first, over seeds as over data sets, then combine them

Scores = Mapping[str, float]


@dataclass(frozen=True)
class Statistic:
    """A mean with its spread over seeds.

    Args:
        mean: percent.
        std: percentage points, over seeds, with n - 1 in the denominator; None with fewer than two seeds.
        n_seeds: seeds in `std`.
    """

    mean: float
    std: float | None
    n_seeds: int

    def __str__(self) -> str:
        return f"{self.mean:.2f}" if self.std is None else f"{self.mean:.2f} ± {self.std:.2f}"


def harmonic(a: float, b: float) -> float:
    """Harmonic mean of two percentages, in percent; 0 if either is 0."""
    return 2 * a * b / (a + b) if a and b else 0.0


def mean(rows: Iterable[Scores], summary: Summary, how: Convention = CONVENTION) -> dict[str, float]:
    """Average of each score, in percent.

    Args:
        rows: at least one, with the scores that `summary` names; of the others, those that all rows have are averaged.
        summary: which scores are harmonic means of which. The parts may be harmonic themselves.
        how: to average harmonic scores: "harmonic-of-means", as the DePT paper's tables and their successors print them, or
            "mean-of-harmonics", which is never above it.

    Raises:
        DepthubError: if scores are declared harmonic means of one another.
    """
    columns = _columns(list(rows))
    averages = {name: statistics.fmean(column) for name, column in columns.items()}
    if how == "harmonic-of-means":
        for name in _parts_first(summary):
            one, other = summary.harmonic[name]
            averages[name] = harmonic(averages[one], averages[other])
    return averages


def convention(names: Iterable[str], summary: Summary, how: Convention = CONVENTION) -> dict[str, str]:
    """How `mean` averages each of these scores."""
    return {name: how if name in summary.harmonic else "mean" for name in names}


def over_seeds(by_seed: Mapping[int, Scores], summary: Summary) -> dict[str, Statistic]:
    """One data set's scores over its seeds, by score."""
    return _spread(mean(by_seed.values(), summary), list(by_seed.values()))


def over_data(cells: Mapping[str, Mapping[int, Scores]], summary: Summary, how: Convention = CONVENTION) -> dict[str, Statistic]:
    """Average over data sets, by score.

    Args:
        cells: scores by data set, then seed. The mean is that of the data sets' means; the spread is that of the
            averages of each seed that all data sets have.
        summary: which scores are harmonic means of which.
        how: to average harmonic scores over data sets; each data set's own is that of its averages over seeds.
    """
    shared = sorted(set.intersection(*(set(by_seed) for by_seed in cells.values())))
    averages = [mean((by_seed[seed] for by_seed in cells.values()), summary, how) for seed in shared]
    return _spread(mean((mean(by_seed.values(), summary) for by_seed in cells.values()), summary, how), averages)


def _columns(rows: Sequence[Scores]) -> dict[str, list[float]]:
    return {name: [row[name] for row in rows] for name in rows[0] if all(name in row for row in rows)}


def _parts_first(summary: Summary) -> list[str]:
    """The harmonic scores, each after those that it is made of."""
    try:
        return [name for name in TopologicalSorter(summary.harmonic).static_order() if name in summary.harmonic]
    except CycleError as error:
        around = " of ".join(map(repr, reversed(error.args[1])))
        raise DepthubError(f"score {around}: each is declared a harmonic mean of the next; declare harmonic scores of others") from error


def _spread(centre: Scores, samples: Sequence[Scores]) -> dict[str, Statistic]:
    std = {name: statistics.stdev(sample[name] for sample in samples) if len(samples) > 1 else None for name in centre}
    return {name: Statistic(value, std[name], len(samples)) for name, value in centre.items()}
