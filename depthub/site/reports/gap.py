"""The distance between two rows of a report over the data sets and seeds that both have, and whether it can be told from chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from depthub.site.reports.part import Cells, Part, Row
from depthub.statistics.answers import Answer, answers
from depthub.statistics.bootstrap import ROUNDS, Question
from depthub.statistics.table import Table, combined

MANY, FEWER = 200, 2_000  # rows of a setting from which on fewer rounds have to do
UNITS: Mapping[Question, str] = {"these data sets": "seed", "new data sets": "data set"}  # what each question draws from


@dataclass(frozen=True)
class Gap:
    """A row minus another one.

    Args:
        row, other: their labels.
        score: that is compared.
        difference: of the averages over data sets and common seeds, in points.
        sets, seeds: numbers of data sets, and of the seeds that both rows have on all of them.
        answers: by question, as far as there are two units to draw from.
    """

    row: str
    other: str
    score: str
    difference: float
    sets: int
    seeds: int
    answers: Mapping[Question, Answer]

    @property
    def decisive(self) -> Answer | None:
        """The answer that a reader needs first: for new data sets; with one data set for other seeds; None without any."""
        return self.answers.get("new data sets") or self.answers.get("these data sets")

    @property
    def is_ahead(self) -> bool:
        """Whether the row is ahead of the other by more than chance."""
        return self.decisive is not None and self.decisive.low > 0


def gap(part: Part, row: Row, other: Row, score: str, data: Sequence[str]) -> Gap | None:
    """The distance between two rows; None if they have no seed in common on all of these data sets.

    Args:
        part: of both rows.
        row, other: with runs on all of `data`.
        score: one that both have.
        data: labels of the data sets.
    """
    table = table_of(part, (row, other), data)
    if table is None:
        return None
    one, two = table.average(score)
    difference = float(one - two)
    rounds = ROUNDS if len(part.rows) <= MANY else FEWER
    by_question = {answer.question: answer for answer in answers(table, score, rounds)}
    return Gap(row["label"], other["label"], score, difference, len(table.sets), table.seeds, by_question)


def seed_averages(part: Part, row: Row) -> dict[int, float]:
    """The headline of a row by seed, averaged over the data sets that all rows have; empty without such a data set or seed."""
    data = part.setting["common_data"]
    table = table_of(part, (row,), data)
    if table is None:
        return {}
    averages = combined(table, part.headline, {name: values.mean(axis=1) for name, values in table.scores.items()})[0]
    return dict(zip(_common_seeds([part.cells(row)], data), map(float, averages), strict=True))


def table_of(part: Part, rows: Sequence[Row], data: Sequence[str]) -> Table | None:
    """The scores of rows on data sets, with the seeds that all of them have everywhere; None without any."""
    cells = [part.cells(row) for row in rows]
    seeds = _common_seeds(cells, data)
    if not seeds:
        return None
    runs = [[[of_row[name][seed] for seed in seeds] for name in data] for of_row in cells]
    harmonic = {score: (one, other) for score, (one, other) in part.setting["harmonic"].items()}
    names = set.intersection(*(set(run) for of_row in runs for of_set in of_row for run in of_set)) - harmonic.keys()
    scores = {name: np.array([[[run[name] for run in of_set] for of_set in of_row] for of_row in runs]) for name in sorted(names)}
    return Table([row["label"] for row in rows], list(data), scores, harmonic)


def _common_seeds(cells: Sequence[Cells], data: Sequence[str]) -> list[int]:
    each = [set(of_row.get(name, {})) for of_row in cells for name in data]
    return sorted(set.intersection(*each)) if each else []
