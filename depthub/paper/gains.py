"""Gains of rows over their hosts, with intervals, beside the gains in print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from depthub.literature.printed import AVERAGE
from depthub.paper.cells import DIGITS, Cells, table_of
from depthub.paper.grids import Grid, signed
from depthub.statistics.answers import Answer, answers
from depthub.statistics.bootstrap import Question
from depthub.statistics.table import Table


@dataclass(frozen=True)
class Gain:
    """What a row gains over its host in a score.

    Args:
        row, host: their labels.
        score: its name.
        points: of the averages over data sets, percentage points.
        answers: by question, as far as there are two units to draw from.
        printed: the same difference of the numbers in print, or None.
        sets, seeds: numbers of data sets and seeds.
    """

    row: str
    host: str
    score: str
    points: float
    answers: Mapping[Question, Answer]
    printed: float | None
    sets: int
    seeds: int

    def is_settled(self, question: Question) -> bool:
        """Whether the question has an answer, whose interval leaves 0 out."""
        return question in self.answers and self.answers[question].is_settled

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        answers = {
            question: {
                "interval": [round(answer.low, DIGITS), round(answer.high, DIGITS)],
                "least": None if answer.least is None else round(answer.least, DIGITS),
                "needed": answer.needed,
            }
            for question, answer in self.answers.items()
        }
        numbers = {"points": round(self.points, DIGITS), "printed": None if self.printed is None else round(self.printed, DIGITS)}
        return {**vars(self), **numbers, "answers": answers}


def gains(
    row: Cells, host: Cells, names: tuple[str, str], scores: Sequence[str], in_print: Mapping[str, str] = MappingProxyType({})
) -> list[Gain]:
    """The gains of a row, over the data sets and seeds that its host has too; none where they have none in common.

    Args:
        row, host: of an exhibit.
        names: of row and host.
        scores: whose gains are wanted.
        in_print: names of scores in print, where they are others.
    """
    table = table_of([row, host], names)
    if table is None:
        return []
    there = [score for score in scores if score in table.scores or score in table.harmonic]
    return [_gain(table, names, score, _printed(row, host, in_print.get(score, score))) for score in there]


def grid_of(title: str, several: Sequence[Gain]) -> Grid:
    """Gains as a table."""
    columns = ("row", "over", "score", "gain", "on these data sets", "on new data sets", "in print")
    rows = [
        [
            gain.row,
            gain.host,
            gain.score,
            signed(gain.points),
            *(_interval(gain, question) for question in ("these data sets", "new data sets")),
            signed(gain.printed),
        ]
        for gain in several
    ]
    note = "Gains in points with 95 % intervals: with other seeds on these data sets, and on new data sets of their kind; * leaves 0 out."
    return Grid(title, columns, rows, (note,))


def _printed(row: Cells, host: Cells, score: str) -> float | None:
    """The difference of two averages in print; None if one of them is not there."""
    one, other = (cells.printed.get(AVERAGE, {}).get(score) for cells in (row, host))
    return None if one is None or other is None else one - other


def _gain(table: Table, names: tuple[str, str], score: str, printed: float | None) -> Gain:
    one, other = table.average(score)
    by_question = {answer.question: answer for answer in answers(table, score)}
    return Gain(*names, score, float(one - other), by_question, printed, len(table.sets), table.seeds)


def _interval(gain: Gain, question: Question) -> str:
    answer = gain.answers.get(question)
    return f"{answer.low:+.2f} to {answer.high:+.2f}{' *' if answer.is_settled else ''}" if answer else "–"
