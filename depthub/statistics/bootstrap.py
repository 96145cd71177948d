"""Intervals, ranks and the chance to be best, by resampling.

Two questions have two answers, and each figure says which it answers:

- "new data sets": would the rows stand so on other data sets of the same kind? Whole data sets are drawn with replacement; the noise of
  seeds is in them.
- "these data sets": would they stand so with other seeds? Within each data set the seeds are drawn with replacement.

The same draw serves all rows, so that differences are paired. Few units are drawn from (11 data sets, 3 seeds), and the plain percentiles
of a bootstrap are too narrow then; they are widened as the t distribution is wider than the normal, and by sqrt(n / (n - 1)) (Hesterberg
2015, https://doi.org/10.1080/00031305.2015.1089789). `tests/statistics/test_bootstrap.py` checks how often intervals cover the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from depthub.errors import DepthubError
from depthub.statistics.table import Array, Table, combined

Question = Literal["new data sets", "these data sets"]
ROUNDS = 10_000
DIGITS = 9  # so that processors that add up in another order give the same ranks
CHUNK = 500  # rounds at a time, for memory


@dataclass(frozen=True, eq=False)
class Draws:
    """Averages of all rows in every round of a bootstrap.

    Args:
        observed: (M,) the averages themselves, in percent.
        rounds: (R, M) the averages of each round, widened for few units.
    """

    observed: Array
    rounds: Array

    def interval(self, confidence: float = 0.95) -> Array:
        """(M, 2): lower and upper end for the average of each row."""
        return _quantiles(self.rounds, confidence)

    def difference(self, row: int, other: int, confidence: float = 0.95) -> tuple[float, float]:
        """Lower and upper end of `row` minus `other`, in points."""
        low, high = _quantiles((self.rounds[:, row] - self.rounds[:, other])[:, None], confidence)[0]
        return float(low), float(high)

    def different(self, confidence: float = 0.95) -> Array:
        """(M, M) of 0 and 1: whether the interval of a difference leaves 0 out.

        The ends are quantiles between neighbouring rounds: with 10,000 the lower one lies between the 250th and the 251st
        smallest difference. If 249 rounds or fewer are at most 0 it is above 0, if 251 or more it is not; with 250 its value decides.
        """
        number, averages = len(self.observed), np.ascontiguousarray(self.rounds.T)
        place = (len(self.rounds) - 1) * (1 - confidence) / 2
        apart = np.zeros((number, number))
        for row in range(1, number):
            above, below = ((averages[row] > averages[:row]).sum(axis=1), (averages[row] < averages[:row]).sum(axis=1))
            fewest = len(self.rounds) - np.maximum(above, below)  # rounds on the other side, or at 0
            apart[row, :row] = fewest <= place
            for other in np.flatnonzero((fewest > place) & (fewest - 1 <= place)):
                low, high = self.difference(row, int(other), confidence)
                apart[row, other] = low > 0 or high < 0
        return apart + apart.T

    def rank_interval(self, confidence: float = 0.95) -> Array:
        """(M, 2): the ranks from 1 between which each row lies."""
        ranks = (-self.rounds).argsort(axis=1, kind="stable").argsort(axis=1) + 1.0
        return np.rint(_quantiles(ranks, confidence))

    def best(self) -> Array:
        """(M,): share of the rounds in which each row is best."""
        return np.bincount(self.rounds.argmax(axis=1), minlength=len(self.observed)) / len(self.rounds)

    def optimism(self) -> float:
        """Points by which the best average of the table overstates its row, since it was chosen for being best: in the rounds, the mean
        difference between the average of the round's winner there and its own average."""
        winners = self.rounds.argmax(axis=1)
        return float((self.rounds[np.arange(len(winners)), winners] - self.observed[winners]).mean())


def bootstrap(table: Table, score: str, question: Question, *, rounds: int = ROUNDS, seed: int = 0) -> Draws:
    """Resample a table.

    Args:
        table: the scores.
        score: its name; harmonic scores are made of resampled averages.
        question: see above.
        rounds: number R of the rounds.
        seed: of the generator.

    Raises:
        DepthubError: if there are not two units to draw from.
    """
    units = len(table.sets) if question == "new data sets" else table.seeds
    if units < 2:
        raise DepthubError(f"intervals for {question} need at least 2 of {'them' if question == 'new data sets' else 'their seeds'}, not 1")
    generator = np.random.default_rng(seed)
    sizes = [min(CHUNK, rounds - start) for start in range(0, rounds, CHUNK)]
    averages = np.concatenate([_round(table, score, question, generator, size) for size in sizes])
    observed = table.average(score)
    widened = observed + _widening(table, question) * (averages - observed)
    return Draws(observed, np.round(widened, DIGITS))


def _round(table: Table, score: str, question: Question, generator: np.random.Generator, rounds: int) -> Array:
    """(rounds, M): averages."""
    sets, seeds = len(table.sets), table.seeds
    if question == "new data sets":
        drawn = generator.integers(sets, size=(rounds, sets))
        parts = {name: values.mean(axis=2)[:, drawn].mean(axis=2).T for name, values in table.scores.items()}
    else:
        drawn = generator.integers(seeds, size=(rounds, sets, seeds))
        parts = {name: values[:, np.arange(sets)[:, None], drawn].mean(axis=(2, 3)).T for name, values in table.scores.items()}
    return combined(table, score, parts)


def _widening(table: Table, question: Question) -> float:
    units = len(table.sets) if question == "new data sets" else table.seeds
    freedom = units - 1 if question == "new data sets" else len(table.sets) * (units - 1)
    return float(np.sqrt(units / (units - 1)) * stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975))


def _quantiles(values: NDArray[Any], confidence: float) -> Array:
    tail = (1 - confidence) / 2
    return np.asarray(np.quantile(values, [tail, 1 - tail], axis=0).T, dtype=np.float64)
