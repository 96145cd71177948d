"""Measured averages beside printed ones: the value, its spread, the difference, and whether that lies within the spread.

The spread of a difference is the half-width of its 95 % interval if both numbers were drawn alike:

- where data set and model are those of the print, over seeds:      t(n - 1) s sqrt(1/n + 1/3) + 0.05  with the measured deviation s of
  n seeds and three printed ones, whose accuracies were rounded to one decimal;
- for an average over other data sets, over data sets:               t(D - 1) s sqrt(1/D + 1/P)  with the measured deviation s of D data
  sets and P printed ones. Such a difference confirms or refutes no printed number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np
from scipy import stats

from depthub.literature.printed import AVERAGE, Printed
from depthub.paper.exhibit import ExhibitRow, paper
from depthub.protocol import Summary
from depthub.records.result import RunResult
from depthub.spec import BackboneSpec
from depthub.statistics.averages import Statistic, over_data, over_seeds
from depthub.statistics.table import Table

PRINTED_SEEDS = 3
ROUNDED = 0.05  # percentage points: the published code writes accuracies with one decimal
DIGITS = 4

Spread = Literal["seeds", "data sets", ""]


@dataclass(frozen=True)
class Cell:
    """A number of a row.

    Args:
        measured: percent, with the deviation over seeds; None if there is none.
        printed: percent, or None.
        half: half-width of the interval of the difference, in points; None if there is too little to tell.
        spread: what it is a spread over; empty without one.
    """

    measured: Statistic | None = None
    printed: float | None = None
    half: float | None = None
    spread: Spread = ""

    @property
    def difference(self) -> float | None:
        """Measured minus printed, in points."""
        return None if self.measured is None or self.printed is None else self.measured.mean - self.printed

    @property
    def is_within(self) -> bool | None:
        """Whether the difference lies within the spread; None if that cannot be told."""
        return None if self.difference is None or self.half is None else abs(self.difference) <= self.half

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        mean, std, seeds = (self.measured.mean, self.measured.std, self.measured.n_seeds) if self.measured else (None, None, 0)
        numbers = {"measured": mean, "std": std, "printed": self.printed, "difference": self.difference, "spread": self.half}
        rounded = {key: value if value is None else round(value, DIGITS) for key, value in numbers.items()}
        return {**rounded, "seeds": seeds, "spread_over": self.spread, "within": self.is_within}


@dataclass(frozen=True, eq=False)
class Cells:
    """The runs of a row, by data set and seed, beside its numbers in print.

    Args:
        row: of the exhibit.
        runs: by data set, then seed.
        summary: how their scores combine.
        printed: by data set, then score.
        same_model: whether the runs have the model of the print.
    """

    row: ExhibitRow
    runs: Mapping[str, Mapping[int, RunResult]]
    summary: Summary
    printed: Mapping[str, Mapping[str, float]]
    same_model: bool = False

    @property
    def is_same(self) -> bool:
        """Whether averages are over the data sets of the print, with its model."""
        return self.same_model and {*self.runs} == self.printed_data

    @property
    def printed_data(self) -> set[str]:
        """The data sets of the print's averages."""
        return {*self.printed} - {AVERAGE} or {*paper().data}

    def scores(self, data: str) -> dict[int, Mapping[str, float]]:
        """In percent, by seed."""
        return {seed: run.scores for seed, run in sorted(self.runs[data].items())}

    def average(self, score: str) -> Cell:
        """Over data sets."""
        printed = self.printed.get(AVERAGE, {}).get(score)
        if not self.runs:
            return Cell(None, printed)
        measured = over_data({name: self.scores(name) for name in self.runs}, self.summary).get(score)
        if measured is None or printed is None:
            return Cell(measured, printed)
        if self.is_same:
            return Cell(measured, printed, _over_seeds(measured), "seeds")
        return Cell(measured, printed, self._over_data_sets(score), "data sets")

    def on(self, data: str, score: str) -> Cell:
        """On one data set."""
        value = self.printed.get(data, {}).get(score)
        if data not in self.runs:
            return Cell(None, value)
        return self.single(over_seeds(self.scores(data), self.summary).get(score), value)

    def single(self, measured: Statistic | None, printed: float | None) -> Cell:
        """A number on one data set beside that in print, which is of the same data set if the model is."""
        if measured is None or printed is None or not self.same_model:
            return Cell(measured, printed)
        return Cell(measured, printed, _over_seeds(measured), "seeds")

    def _over_data_sets(self, score: str) -> float | None:
        means = [over_seeds(self.scores(name), self.summary)[score].mean for name in self.runs]
        if len(means) < 2:
            return None
        return half_over(means, len(self.printed_data))


def half_over(means: Sequence[float], printed: int) -> float:
    """Half-width of the interval of a difference of two averages over other data sets, in points.

    Args:
        means: of the measured data sets, at least two, in percent.
        printed: number of the data sets in print.
    """
    return float(stats.t.ppf(0.975, len(means) - 1) * np.std(means, ddof=1) * sqrt(1 / len(means) + 1 / printed))


def table_of(rows: Sequence[Cells], labels: Sequence[str]) -> Table | None:
    """The scores of several rows on the data sets and seeds that all of them have; None if they have none in common.

    Args:
        rows: at least one.
        labels: of the rows.
    """
    data = [name for name in rows[0].runs if all(name in row.runs for row in rows)]
    seeds = sorted(set.intersection(*(set(row.runs[name]) for row in rows for name in data))) if data else []
    if not seeds:
        return None
    runs = [[[row.runs[name][seed].scores for seed in seeds] for name in data] for row in rows]
    names = [name for name in runs[0][0][0] if name not in rows[0].summary.harmonic]
    common = [name for name in names if all(name in run for of_row in runs for of_set in of_row for run in of_set)]
    scores = {name: np.array([[[run[name] for run in of_set] for of_set in of_row] for of_row in runs]) for name in common}
    return Table(labels, data, scores, rows[0].summary.harmonic)


def printed_of(row: ExhibitRow, numbers: Sequence[Printed], shots: int | None = None) -> dict[str, dict[str, float]]:
    """The printed numbers of a row by data set, then score.

    Args:
        row: of an exhibit.
        numbers: of its table.
        shots: images of each class; None: the table has one number of them.
    """
    values: dict[str, dict[str, float]] = {}
    for number in numbers:
        if row.printed and number.row == row.printed and (shots is None or number.shots in ("", str(shots))):
            values.setdefault(number.data, {})[number.score] = number.value
    return values


def has_model(run: RunResult, backbone: BackboneSpec) -> bool:
    """Whether a run has the model of the print."""
    return (run.spec.backbone.model, run.spec.backbone.pretrained) == (backbone.model, backbone.pretrained)


def _over_seeds(measured: Statistic) -> float | None:
    if measured.std is None:
        return None
    number = measured.n_seeds
    return float(stats.t.ppf(0.975, number - 1) * measured.std * sqrt(1 / number + 1 / PRINTED_SEEDS)) + ROUNDED
