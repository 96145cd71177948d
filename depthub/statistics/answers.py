"""What a table says about the difference of two rows: intervals, the least difference that it sees, and what would show this one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from depthub.statistics.bootstrap import ROUNDS, Question, bootstrap
from depthub.statistics.resolution import Components
from depthub.statistics.table import Table


@dataclass(frozen=True)
class Answer:
    """What runs say to one of the two questions of `statistics.bootstrap`.

    Args:
        question: "new data sets" or "these data sets".
        low, high: ends of the 95 % interval of the difference, in points.
        least: the least difference that these runs see with 80 % power, in points; None with one data set or seed.
        needed: data sets, or seeds on each of these data sets, that would show a difference of this size; None: too many, or not known.
    """

    question: Question
    low: float
    high: float
    least: float | None
    needed: int | None

    @property
    def is_settled(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def answers(table: Table, score: str, rounds: int = ROUNDS) -> Iterator[Answer]:
    """The answers to both questions, as far as there are two units to draw from.

    Args:
        table: of two rows.
        score: whose difference is asked about, the first row's average minus the second's.
        rounds: of the bootstrap.
    """
    one, other = table.per_cell(score)
    parts = Components.of(one - other) if min(one.shape) > 1 else None
    difference = float(table.average(score)[0] - table.average(score)[1])
    for question in get_args(Question):
        if (len(table.sets) if question == "new data sets" else table.seeds) > 1:
            low, high = bootstrap(table, score, question, rounds=rounds).difference(0, 1)
            needed = parts.needed(difference, question) if parts and difference else None
            yield Answer(question, low, high, parts.least_difference(question) if parts else None, needed)
