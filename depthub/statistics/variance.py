"""Where the variance of a score comes from: data sets, class cuts, seeds.

A class cut divides the classes of a data set into base and new ones. A score of one row, or the difference of two rows, on D data sets, C
cuts of each and S seeds of each cut:

    y[d, c, s] = mu + set[d] + cut[d, c] + seed[d, c, s]

All three are random and nested: cut 3 of one data set has nothing to do with cut 3 of another. Seeds have no effect of their own across
cuts either: seed 1 draws other classes, hence other images and other batches, in each cut, so that equal numbers of seeds have nothing in
common.

Components are estimated from mean squares, which is unbiased whatever the distributions are before negative estimates are set to 0 (Searle,
Casella and McCulloch 1992, Variance Components, chapter 4). The interval of the seeds' variance is the exact one of chi-square; those of
cuts and data sets, each a difference of two mean squares, are modified large-sample intervals (Ting, Burdick, Graybill, Jeyaratnam and Lu
1990, Journal of Statistical Computation and Simulation 35, 135-143; Burdick and Graybill 1992, Confidence Intervals on Variance Components,
section 3.3). Both assume normal deviations; `tests/statistics/test_variance.py` checks how often they cover the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from depthub.errors import DepthubError
from depthub.statistics.resolution import ALPHA, POWER, fewest, noncentrality
from depthub.statistics.table import Array


@dataclass(frozen=True)
class VarianceComponent:
    """What one source adds to the variance of a single run.

    Args:
        variance: in squared points; 0 where the estimate is below 0.
        low, high: ends of its interval, likewise.
        share: of the three components together, in percent; 0 where all are 0.
        truncated: whether the estimate was below 0: less variance than chance gives.
    """

    variance: float
    low: float
    high: float
    share: float
    truncated: bool

    @property
    def sd(self) -> float:
        """Standard deviation, in points."""
        return sqrt(self.variance)

    @property
    def sd_interval(self) -> tuple[float, float]:
        """Ends of the interval of the standard deviation, in points."""
        return sqrt(self.low), sqrt(self.high)


@dataclass(frozen=True)
class VarianceComponents:
    """Where a score, or a difference, has its variance from.

    Args:
        mean: of all runs, in percent, or in points for a difference.
        of_sets: deviation from data set to data set.
        of_cuts: deviation from class cut to class cut within a data set.
        of_seeds: deviation from seed to seed within a cut, and all else.
        sets: number D.
        cuts: number C of each data set.
        seeds: number S of each cut.
    """

    mean: float
    of_sets: VarianceComponent
    of_cuts: VarianceComponent
    of_seeds: VarianceComponent
    sets: int
    cuts: int
    seeds: int

    @classmethod
    def of(cls, values: Array, confidence: float = 0.95) -> VarianceComponents:
        """Take a balanced table apart.

        Args:
            values: (D, C, S), a score in percent or a difference in points.
            confidence: of the intervals.

        Raises:
            DepthubError: for fewer than 2 data sets, cuts or seeds, or numbers that are not finite.
        """
        _check(values)
        sets, cuts, seeds = values.shape
        set_means, cut_means = values.mean(axis=(1, 2)), values.mean(axis=2)
        # mean squares with expectations  seed,  seed + S cut,  seed + S cut + C S set
        within = _MeanSquare(float(values.var(axis=2, ddof=1).mean()), sets * cuts * (seeds - 1))
        between_cuts = _MeanSquare(float(seeds * cut_means.var(axis=1, ddof=1).mean()), sets * (cuts - 1))
        between_sets = _MeanSquare(float(cuts * seeds * set_means.var(ddof=1)), sets - 1)
        tail = (1 - confidence) / 2
        of_sets = _difference(between_sets, between_cuts, cuts * seeds, tail)
        of_cuts = _difference(between_cuts, within, seeds, tail)
        of_seeds = within.value, within.value / within.chi_square(1 - tail), within.value / within.chi_square(tail)
        total = sum(max(0.0, estimate) for estimate, _, _ in (of_sets, of_cuts, of_seeds))
        parts = [_component(estimate, total) for estimate in (of_sets, of_cuts, of_seeds)]
        return cls(float(values.mean()), parts[0], parts[1], parts[2], sets, cuts, seeds)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the components has to know: which of them were set to 0."""
        named = {"data sets": self.of_sets, "class cuts": self.of_cuts}
        return tuple(
            f"the variance of {name} is estimated below 0, as small samples of a small one often are, and set to 0"
            for name, part in named.items()
            if part.truncated
        )

    @property
    def cut_mean_sd(self) -> float:
        """Standard deviation of the average over these data sets from cut to cut, with S seeds of each, in points."""
        return sqrt(self._variance_of_mean(1, self.seeds))

    def cuts_needed(self, point: float = 1.0, seeds: int | None = None, power: float = POWER, alpha: float = ALPHA) -> int | None:
        """How many class cuts of each of these data sets would show a difference; None: not even 100,000 would.

        A two-sided t test over the C averages of one cut of each data set, with C - 1 degrees of freedom. Their variance is
        (cut + seed / S) / D; the data sets stay the same, so that their own variance does not count.

        Args:
            point: the difference, in points, not 0.
            seeds: of each cut; by default as many as these.
            power: chance to see it.
            alpha: chance to see one that is not there.

        Raises:
            DepthubError: for a difference of 0, or no seeds.
        """
        each = self.seeds if seeds is None else seeds
        _check_question(point, each)
        return fewest(lambda cuts: sqrt(self._variance_of_mean(cuts, each)) * noncentrality(cuts - 1, power, alpha) <= abs(point))

    def seeds_needed(self, point: float = 1.0, cuts: int = 1, power: float = POWER, alpha: float = ALPHA) -> int | None:
        """How many seeds of the same few cuts would show a difference that holds for other cuts too; None: not even 100,000 would.

        More seeds make the deviation of seeds small, and leave that of the cuts as it is: (cut + seed / S) / (C D). The degrees of freedom
        are taken to be the seeds', D C (S - 1), as if the variance of cuts were known. Where no cut deviates, this is the number that
        `resolution.Components.needed` gives for these data sets.

        Args:
            point: the difference, in points, not 0.
            cuts: of each data set, 1 as in the published protocol.
            power, alpha: as in `cuts_needed`.

        Raises:
            DepthubError: for a difference of 0, or no cuts.
        """
        _check_question(point, cuts)

        def shown(seeds: int) -> bool:
            freedom = self.sets * cuts * (seeds - 1)
            return sqrt(self._variance_of_mean(cuts, seeds)) * noncentrality(freedom, power, alpha) <= abs(point)

        return fewest(shown)

    def _variance_of_mean(self, cuts: int, seeds: int) -> float:
        """Of the average over these data sets, with so many cuts of each and seeds of each cut, around what all cuts would give."""
        return (self.of_cuts.variance + self.of_seeds.variance / seeds) / (cuts * self.sets)


@dataclass(frozen=True)
class PublishedCut:
    """Where the published class cut stands among shuffled ones, by the average over data sets and seeds.

    Args:
        value: of the published cut, in percent, or in points for a difference.
        shuffled: of each shuffled cut, (C,) in the order of the cuts, likewise.
        rank: of the published cut among all C + 1, 1 for the highest; a tie counts against it.
        percentile: share of the shuffled cuts below it, in percent; a tie counts half.
        p_value: chance of a rank as far out, at either end, if the published cut were one of the shuffled ones; 2 / (C + 1) at the least.
    """

    value: float
    shuffled: tuple[float, ...]
    rank: int
    percentile: float
    p_value: float


def published_cut(published: Array, shuffled: Array) -> PublishedCut:
    """Compare the published class cut with shuffled ones.

    If the published cut were drawn as the shuffled ones are, all C + 1 ranks of it would be equally likely, whatever the distribution:
    an exact permutation test. It knows cuts of these data sets with these seeds only.

    Args:
        published: (D, S), a score in percent, or a difference of two rows in points.
        shuffled: (D, C, S), the same of C shuffled cuts of each data set; the averages are of the first cuts of all data sets, of the
            second cuts and so on.

    Raises:
        DepthubError: for other shapes, no shuffled cuts, or numbers that are not finite.
    """
    if shuffled.ndim != 3 or published.shape != (shuffled.shape[0], shuffled.shape[2]) or not shuffled.size:
        raise DepthubError(f"published cut: shapes {published.shape} and {shuffled.shape}, expected (D, S) and (D, C, S)")
    if not (np.isfinite(published).all() and np.isfinite(shuffled).all()):
        raise DepthubError("published cut: the numbers have to be finite")
    # rounded, so that equal averages are a tie in whatever order they are added up
    value, others = round(float(published.mean()), 9), np.round(shuffled.mean(axis=(0, 2)), 9)
    above, below, cuts = int((others >= value).sum()), int((others <= value).sum()), len(others)
    p_value = min(1.0, 2 * (min(above, below) + 1) / (cuts + 1))
    percentile = 100 * (below + cuts - above) / (2 * cuts)
    return PublishedCut(value, tuple(map(float, others)), above + 1, percentile, p_value)


@dataclass(frozen=True)
class _MeanSquare:
    """A mean square and its degrees of freedom."""

    value: float
    freedom: int

    def chi_square(self, probability: float) -> float:
        """Quantile of its chi-square distribution over the degrees of freedom."""
        return float(stats.chi2.ppf(probability, self.freedom)) / self.freedom


def _difference(one: _MeanSquare, other: _MeanSquare, divisor: int, tail: float) -> tuple[float, float, float]:
    """(one - other) / divisor: estimate, and the ends of its interval by Ting et al. with so much probability beyond each."""
    estimate = one.value - other.value
    lower, upper = (
        # a limit of a mean square alone is itself times 1 - shrinking or 1 + growing, and the product term makes the end 0 where the F test
        # of both just decides, as it has to be
        _reach(one, other, 1 - 1 / one.chi_square(1 - tail), 1 / other.chi_square(tail) - 1, 1 - tail),
        _reach(one, other, 1 / one.chi_square(tail) - 1, 1 - 1 / other.chi_square(1 - tail), tail),
    )
    return estimate / divisor, (estimate - lower) / divisor, (estimate + upper) / divisor


def _reach(one: _MeanSquare, other: _MeanSquare, of_one: float, of_other: float, probability: float) -> float:
    """Distance of an end of the interval from the estimate."""
    ratio = float(stats.f.ppf(probability, one.freedom, other.freedom))
    product = ((ratio - 1) ** 2 - (of_one * ratio) ** 2 - of_other**2) / ratio
    return sqrt(max(0.0, (of_one * one.value) ** 2 + (of_other * other.value) ** 2 + product * one.value * other.value))


def _component(estimate: tuple[float, float, float], total: float) -> VarianceComponent:
    """Nothing of it below 0."""
    variance, low, high = (max(0.0, number) for number in estimate)
    return VarianceComponent(variance, low, high, 100 * variance / total if total else 0.0, estimate[0] < 0)


def _check(values: Array) -> None:
    if values.ndim != 3 or min(values.shape) < 2:
        raise DepthubError(f"components of variance: shape {values.shape}, expected (data sets, cuts, seeds) with at least 2 of each")
    if not np.isfinite(values).all():
        raise DepthubError("components of variance: the numbers have to be finite; a run that is missing leaves the table unbalanced")


def _check_question(point: float, number: int) -> None:
    if not point or number < 1:
        raise DepthubError(f"what is needed: point is {point}, expected not 0, with at least 1 cut and seed, not {number}")
