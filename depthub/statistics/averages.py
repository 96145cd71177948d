"""Averages over seeds and over data sets, and their spread: every average of depthub is computed here.

A harmonic score, such as H of base and new, is averaged in one of two ways ("conventions"). Two data sets, one seed each:

                     base    new      H
    tones              90     50     64.29
    flags              60     80     68.57
    harmonic-of-means  75     65     69.64   H of the averaged base and new: the papers' tables, and the default
    mean-of-harmonics  75     65     66.43   average of the two H

A protocol declares which scores are harmonic means of which (`Protocol.harmonic`); no name is special. Over seeds as over data sets, base
and new are averaged first, and H is made of the averages:

1. of each data set, each score over its seeds: `over_seeds`, and inside `over_data`;
2. of these averages, each score over data sets: `over_data`.

`depthub run` (several seeds), `depthub quickstart` and `depthub leaderboard build` (`--average` names the convention of step 2) print these
numbers. `docs/names-and-averages.md` repeats them by hand.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from depthub.errors import DepthubError
from depthub.protocol import Summary

Convention = Literal["harmonic-of-means", "mean-of-harmonics"]
CONVENTION: Convention = "harmonic-of-means"  # of the field's tables

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
        rows: scores in percent; at least one row, with the scores of `summary`. Further scores count if every row has them.
        summary: the harmonic scores with their parts, which may be harmonic themselves.
        how: average of harmonic scores: "harmonic-of-means", as in the DePT paper's tables and their successors, or "mean-of-harmonics",
            which is never above it.

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
    """The way in which `mean` averages each of these scores: "mean" or the convention."""
    return {name: how if name in summary.harmonic else "mean" for name in names}


def over_seeds(by_seed: Mapping[int, Scores], summary: Summary) -> dict[str, Statistic]:
    """One data set's scores over its seeds, by score."""
    return _with_spread(mean(by_seed.values(), summary), list(by_seed.values()))


def over_data(cells: Mapping[str, Mapping[int, Scores]], summary: Summary, how: Convention = CONVENTION) -> dict[str, Statistic]:
    """Average over data sets, by score.

    Args:
        cells: scores by data set, then seed. The mean is the mean of the data sets' means; the spread is the deviation of the per-seed
            averages, over the seeds that all data sets have.
        summary: the harmonic scores with their parts.
        how: average of harmonic scores over data sets; over the seeds of a data set they are always harmonic means of averages.
    """
    common_seeds = sorted(set.intersection(*(set(by_seed) for by_seed in cells.values())))
    per_seed = [mean((by_seed[seed] for by_seed in cells.values()), summary, how) for seed in common_seeds]
    per_data_set = [mean(by_seed.values(), summary) for by_seed in cells.values()]
    return _with_spread(mean(per_data_set, summary, how), per_seed)


def _columns(rows: Sequence[Scores]) -> dict[str, list[float]]:
    return {name: [row[name] for row in rows] for name in rows[0] if all(name in row for row in rows)}


def _parts_first(summary: Summary) -> list[str]:
    """The harmonic scores, each after its parts."""
    try:
        return [name for name in TopologicalSorter(summary.harmonic).static_order() if name in summary.harmonic]
    except CycleError as error:
        around = " of ".join(map(repr, reversed(error.args[1])))
        raise DepthubError(f"score {around}: each is declared a harmonic mean of the next; declare harmonic scores of others") from error


def _with_spread(averages: Scores, per_seed: Sequence[Scores]) -> dict[str, Statistic]:
    deviations = {name: _deviation([scores[name] for scores in per_seed]) if len(per_seed) > 1 else None for name in averages}
    return {name: Statistic(average, deviations[name], len(per_seed)) for name, average in averages.items()}


def _deviation(values: Sequence[float]) -> float:
    """With n - 1 in the denominator: `statistics.stdev` to the last bits, in a twentieth of its time."""
    mean = statistics.fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
