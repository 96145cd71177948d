"""Claims of printed tables: whether a gain is larger than what the table can tell apart, and whether it is compared with the right rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from depthub.literature.leagues import LEAGUES, league_of
from depthub.literature.printed import AVERAGE, Printed
from depthub.statistics.comparisons import SignedRank, bayesian_signed_rank, wilcoxon
from depthub.statistics.resolution import Components
from depthub.statistics.table import Array

FEWEST = 3  # data sets for a test


@dataclass(frozen=True)
class Claim:
    """A row of a table against another of the same table.

    Args:
        table: its name.
        row, against: the rows.
        score: that is compared on each data set.
        gain: mean difference over data sets, in points.
        sets: their number.
        least: least difference that a paired test over so many data sets sees with 80 % power, in points; seeds are not in print, so that
            their noise counts with the data sets'.
        p_value: of the Wilcoxon signed-rank test.
        probabilities: that the row is practically worse, equal or better, with a margin of half a point.
        needed: data sets that would show the gain; None: more than can be had.
    """

    table: str
    row: str
    against: str
    score: str
    gain: float
    sets: int
    least: float
    p_value: float
    probabilities: SignedRank
    needed: int | None

    @property
    def is_resolved(self) -> bool:
        """Whether the gain is at least what the table can tell apart."""
        return abs(self.gain) >= self.least


def claims(numbers: Sequence[Printed], score: str = "H") -> list[Claim]:
    """Every row against its host, where both have the score on the same data sets: "KgCoOp+DePT" against "KgCoOp".

    Args:
        numbers: of tables.
        score: that is compared.
    """
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    for number in numbers:
        if number.score == score and number.data != AVERAGE:
            rows.setdefault((number.table, number.shots, number.row), {})[number.data] = number.value
    gains = []
    for (table, shots, row), cells in rows.items():
        host = rows.get((table, shots, host_of(row)), {})
        common = [data for data in cells if data in host]
        if row != host_of(row) and len(common) >= FEWEST:
            gains.append(_claim(table, row, score, np.array([cells[data] - host[data] for data in common])))
    return gains


def missing_controls(numbers: Sequence[Printed]) -> list[str]:
    """Rows of a host with an addition whose table lacks the host alone, or the addition switched off (for DePT a balance of 0).

    Without the second nobody knows how much of a gain is another run of the same training.

    Returns:
        A line for each.
    """
    tables: dict[str, list[str]] = {}
    for number in numbers:
        if number.row not in tables.setdefault(number.table, []):
            tables[number.table].append(number.row)
    lines = []
    for table, rows in tables.items():
        added = [row for row in rows if host_of(row) != row and not is_control(row)]
        lines += [f"table {table}: {row} without a row of {host_of(row)}" for row in added if host_of(row) not in rows]
        if added and not any(map(is_control, rows)):
            lines.append(
                f"table {table}: no control row in which the addition is switched off, such as {min(added, key=len)} with balance 0"
            )
    return lines


def mixed_leagues(numbers: Sequence[Printed]) -> list[str]:
    """Tables that rank rows with other means together, as far as the methods are known: a line each."""
    leagues: dict[str, dict[str, str]] = {}
    for number in numbers:
        if league := league_of(number.row):
            leagues.setdefault(number.table, {}).setdefault(league, number.row)
    return [
        f"table {table} ranks rows together that use {'; '.join(f'{LEAGUES[league]} ({row})' for league, row in sorted(of_table.items()))}"
        for table, of_table in leagues.items()
        if len(of_table) > 1
    ]


def host_of(row: str) -> str:
    """The method that a row's last addition is around: "KgCoOp" for "KgCoOp+DePT"; itself without one."""
    host, plus, _ = row.partition(",")[0].rpartition("+")
    return host.strip() if plus and host.strip() else row


def is_control(row: str) -> bool:
    """Whether a row's name says that its addition is switched off."""
    words = row.lower().replace("=", " ").replace("(", " ").replace(")", " ").replace(",", " ").split()
    return any(words[place : place + 2] in (["balance", "0"], ["lambda", "0"]) for place in range(len(words)))


def spread(differences: Array) -> Components:
    """Where differences in print come from: data sets, with the noise of their seeds in them.

    Args:
        differences: (D,) of two rows on each data set, in points.
    """
    return Components(float(differences.std(ddof=1)), 0.0, len(differences), 1)


def _claim(table: str, row: str, score: str, differences: Array) -> Claim:
    parts = spread(differences)
    gain = float(differences.mean())
    return Claim(
        table,
        row,
        host_of(row),
        score,
        gain,
        len(differences),
        parts.least_difference("new data sets"),
        wilcoxon(list(differences)),
        bayesian_signed_rank(list(differences)),
        parts.needed(gain, "new data sets") if gain else None,
    )
