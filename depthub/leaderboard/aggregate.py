"""Means over seeds and data sets, and the two ways to average a harmonic mean. Pure functions of percentages."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

HARMONIC = {"H": ("base", "new")}  # scores that are the harmonic mean of two others
Convention = Literal["harmonic-of-means", "mean-of-harmonics"]
CONVENTION: Convention = "harmonic-of-means"  # the field's: average base and new first, over seeds as over data sets, then take H

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


def harmonic_of_means(base: Sequence[float], new: Sequence[float]) -> float:
    """H of the two averages, in percent; what the DePT paper's tables and their successors print."""
    return harmonic(statistics.fmean(base), statistics.fmean(new))


def mean_of_harmonics(base: Sequence[float], new: Sequence[float]) -> float:
    """Average of the pairs' H, in percent; never above `harmonic_of_means`."""
    return statistics.fmean(map(harmonic, base, new))


AVERAGES: Mapping[Convention, Callable[[Sequence[float], Sequence[float]], float]] = {
    "harmonic-of-means": harmonic_of_means,
    "mean-of-harmonics": mean_of_harmonics,
}


def mean(rows: Iterable[Scores], how: Convention = CONVENTION) -> dict[str, float]:
    """Average of each score, in percent.

    Args:
        rows: at least one; only scores that all of them have are averaged.
        how: to average a harmonic score.
    """
    found = list(rows)
    names = [name for name in found[0] if all(name in row for row in found)]
    columns = {name: [row[name] for row in found] for name in names}
    made = {name: statistics.fmean(column) for name, column in columns.items()}
    return made | {name: AVERAGES[how](columns[a], columns[b]) for name, (a, b) in HARMONIC.items() if {name, a, b} <= made.keys()}


def convention(names: Iterable[str], how: Convention = CONVENTION) -> dict[str, str]:
    """How `mean` averages each of these scores."""
    known = list(names)
    return {name: how if set(HARMONIC.get(name, (name + "?",))) <= set(known) else "mean" for name in known}


def over_seeds(by_seed: Mapping[int, Scores]) -> dict[str, Statistic]:
    """One data set's scores over its seeds, by score."""
    return _spread(mean(by_seed.values()), list(by_seed.values()))


def over_data(cells: Mapping[str, Mapping[int, Scores]], how: Convention = CONVENTION) -> dict[str, Statistic]:
    """Average over data sets, by score.

    Args:
        cells: scores by data set, then seed. The mean is that of the data sets' means; the spread is that of the
            averages of each seed that all data sets have.
        how: to average a harmonic score over data sets; each data set's own is that of its averages over seeds.
    """
    shared = sorted(set.intersection(*(set(by_seed) for by_seed in cells.values())))
    averages = [mean((by_seed[seed] for by_seed in cells.values()), how) for seed in shared]
    return _spread(mean((mean(by_seed.values()) for by_seed in cells.values()), how), averages)


def _spread(centre: Scores, samples: Sequence[Scores]) -> dict[str, Statistic]:
    std = {name: statistics.stdev(sample[name] for sample in samples) if len(samples) > 1 else None for name in centre}
    return {name: Statistic(value, std[name], len(samples)) for name, value in centre.items()}
