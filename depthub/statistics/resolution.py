"""The resolution of a board: the least difference that it can tell apart, and what a smaller one would need.

Of two rows, the difference on data set d with seed s is  D + a_d + e_ds:  the difference D over all such data sets, a deviation of the
data set and one of the seed. A paired t test over data sets sees the variance of the set means,  var(a) + var(e) / S;  one over the seeds
on these data sets sees  var(e) / S  alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import sqrt

import numpy as np
from scipy import optimize, stats

from depthub.errors import DepthubError
from depthub.statistics.bootstrap import Question
from depthub.statistics.table import Array

POWER, ALPHA = 0.8, 0.05
MOST = 100_000  # units; a claim that needs more cannot be decided


@dataclass(frozen=True)
class Components:
    """Where differences between two rows come from.

    Args:
        set_sd: deviation from data set to data set, in points.
        seed_sd: deviation from seed to seed within a data set, in points.
        sets: number D.
        seeds: number S.
    """

    set_sd: float
    seed_sd: float
    sets: int
    seeds: int

    @classmethod
    def of(cls, differences: Array) -> Components:
        """From the differences of two rows.

        Args:
            differences: (D, S), in points; D and S at least 2.

        Raises:
            DepthubError: for fewer.
        """
        sets, seeds = differences.shape
        if sets < 2 or seeds < 2:
            raise DepthubError(f"a resolution needs at least 2 data sets and 2 seeds, not {sets} and {seeds}")
        seed_variance = float(differences.var(axis=1, ddof=1).mean())
        set_variance = max(0.0, float(differences.mean(axis=1).var(ddof=1)) - seed_variance / seeds)
        return cls(sqrt(set_variance), sqrt(seed_variance), sets, seeds)

    def least_difference(self, question: Question, power: float = POWER, alpha: float = ALPHA) -> float:
        """The least difference that a two-sided paired t test sees with this power, in points.

        Args:
            question: "new data sets" tests the D set means, "these data sets" the seeds within them.
            power: chance to see it.
            alpha: chance to see one that is not there.
        """
        error, freedom = self._error(question, self.sets, self.seeds)
        return error * noncentrality(freedom, power, alpha)

    def needed(self, difference: float, question: Question, power: float = POWER, alpha: float = ALPHA) -> int | None:
        """How many data sets ("new data sets"), or seeds on each of these ("these data sets"), would show a difference; None: too many.

        Args:
            difference: in points, not 0.
            question, power, alpha: as in `least_difference`.
        """

        def shown(units: int) -> bool:
            counts = (units, self.seeds) if question == "new data sets" else (self.sets, units)
            error, freedom = self._error(question, *counts)
            return error * noncentrality(freedom, power, alpha) <= abs(difference)

        return fewest(shown)

    def _error(self, question: Question, sets: int, seeds: int) -> tuple[float, int]:
        """Standard error of the mean difference, and its degrees of freedom."""
        variance = self.seed_sd**2 / seeds
        if question == "new data sets":
            return sqrt((self.set_sd**2 + variance) / sets), sets - 1
        return sqrt(variance / sets), sets * (seeds - 1)


def fewest(shown: Callable[[int], bool]) -> int | None:
    """The least number of units, at least 2, from which on a difference is shown; None: more than `MOST`.

    Args:
        shown: whether so many units show it; more units than enough are enough.
    """
    low, high = 1, 2
    while not shown(high):
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high


@cache
def noncentrality(freedom: int, power: float, alpha: float) -> float:
    """Mean of the t statistic at which the two-sided test has the power; for many degrees of freedom 2.80 at 80 and 5 %."""
    critical = stats.t.ppf(1 - alpha / 2, freedom)

    # of the two tails the wrong one counts for nothing at such a mean
    return float(optimize.brentq(lambda mean: stats.nct.sf(critical, freedom, mean) - power, 0.0, 1.5 * critical + 3.0))


def board_resolution(per_cell: Array, question: Question) -> float:
    """The least difference that a board sees with 80 % power: the median over all pairs of its rows, in points.

    Args:
        per_cell: (M, D, S) a score of every run, M at least 2.
        question: see `Components.least_difference`.

    Raises:
        DepthubError: for fewer than 2 data sets or seeds.
    """
    return board_resolutions(per_cell)[question]


def board_resolutions(per_cell: Array) -> dict[Question, float]:
    """`board_resolution` for both questions."""
    _, sets, seeds = per_cell.shape
    if min(sets, seeds) < 2:
        raise DepthubError(f"a resolution needs at least 2 data sets and 2 seeds, not {sets} and {seeds}")
    variances = []  # of the mean difference, by question, for the pairs of a row at once; as `Components.of` and its error
    for row in range(1, len(per_cell)):
        differences = per_cell[row] - per_cell[:row]
        of_seeds = differences.var(axis=2, ddof=1).mean(axis=1) / seeds
        variances.append([np.maximum(differences.mean(axis=2).var(axis=1, ddof=1), of_seeds), of_seeds])
    new, these = np.median(np.sqrt(np.concatenate(variances, axis=1) / sets), axis=1)
    return {
        "new data sets": float(new) * noncentrality(sets - 1, POWER, ALPHA),
        "these data sets": float(these) * noncentrality(sets * (seeds - 1), POWER, ALPHA),
    }
