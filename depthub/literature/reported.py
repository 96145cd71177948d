"""Printed tables as rows beside measured ones: numbers without counts and seeds, with what the table can tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from statistics import fmean, median
from typing import Any

import numpy as np

from depthub.errors import UnknownNameError
from depthub.literature.claims import FEWEST, spread
from depthub.literature.consistency import findings
from depthub.literature.leagues import league_of
from depthub.literature.printed import AVERAGE, CHANGE, Printed, published
from depthub.literature.publications import publications
from depthub.statistics.averages import harmonic

RANKING = ("H", "target", "accuracy")  # scores that tables rank by; of these the first that a table has for single data sets
UNTRAINED = "0"  # shots
DIGITS = 2  # of percentages and points

Scores = dict[str, float]


def reported(name: str) -> dict[str, Any]:
    """A publication as plain data for JSON.

    Args:
        name: of the publication.

    Returns:
        The fields of `Publication`, with `tables` as a list. A table has `table`, `protocol`, `data` (its data sets), `scores`, `rows` and
        `resolution` (see there). A row has `row`, `shots`, `league` (empty if unknown), `per_data` (percent by data set, then score),
        `average` with the scores `printed` and `recomputed` from the cells, and its `contradictions` in words.

    Raises:
        DepthubError: if there is no publication of that name.
    """
    if name not in publications():
        raise UnknownNameError("publication", name, publications())
    publication, numbers = publications()[name], published(name)
    faults: dict[tuple[str, str, str], list[str]] = {}
    for finding in findings(numbers, publication.tables):
        faults.setdefault(_row_of(finding.number), []).append(str(finding))
    tables = [
        {"table": table, "protocol": protocol, **_table([number for number in numbers if number.table == table], faults)}
        for table, protocol in publication.tables.items()
    ]
    return {**asdict(publication), "tables": tables}


def resolution(numbers: Sequence[Printed]) -> dict[str, Any] | None:
    """What a table can tell apart on new data sets, seeds being part of their noise.

    Args:
        numbers: of one table.

    Returns:
        `score`, that the table ranks by; `least`, in points, the median over pairs of rows of the difference that a paired test over the
        data sets of both sees with 80 % power; `pairs`, their number. Rows with other numbers of images per class are no pair, unless
        one of them has none. None if no pair has three data sets.
    """
    for score in RANKING:
        if any(number.score == score and number.data != AVERAGE for number in numbers):
            least = list(_least_differences(_cells(numbers, score)))
            return {"score": score, "least": round(median(least), DIGITS), "pairs": len(least)} if least else None
    return None


def _least_differences(rows: Mapping[tuple[str, str], Scores]) -> Iterator[float]:
    for ((_, shots), one), ((_, other_shots), other) in combinations(rows.items(), 2):
        common = [data for data in one if data in other]
        if len(common) >= FEWEST and (shots == other_shots or UNTRAINED in {shots, other_shots}):
            yield spread(np.array([one[data] - other[data] for data in common])).least_difference("new data sets")


def _cells(numbers: Iterable[Printed], score: str) -> dict[tuple[str, str], Scores]:
    """Values of a score by row and shots, then data set."""
    rows: dict[tuple[str, str], Scores] = {}
    for number in numbers:
        if number.score == score and number.data != AVERAGE:
            rows.setdefault((number.row, number.shots), {})[number.data] = number.value
    return rows


def _table(numbers: Sequence[Printed], faults: Mapping[tuple[str, str, str], list[str]]) -> dict[str, Any]:
    rows: dict[tuple[str, str, str], list[Printed]] = {}
    for number in numbers:
        rows.setdefault(_row_of(number), []).append(number)
    return {
        "data": list(dict.fromkeys(number.data for number in numbers if number.data != AVERAGE)),
        "scores": list(dict.fromkeys(number.score for number in numbers)),
        "rows": [_row(of_row, faults.get(place, [])) for place, of_row in rows.items()],
        "resolution": resolution(numbers),
    }


def _row(numbers: Sequence[Printed], contradictions: Sequence[str]) -> dict[str, Any]:
    per_data: dict[str, Scores] = {}
    for number in numbers:
        per_data.setdefault(number.data, {})[number.score] = number.value
    average = {"printed": per_data.pop(AVERAGE, {}), "recomputed": _recomputed(per_data)}
    row = numbers[0].row
    about = {"row": row, "shots": numbers[0].shots, "league": league_of(row)}
    return {**about, "per_data": per_data, "average": average, "contradictions": list(contradictions)}


def _recomputed(per_data: Mapping[str, Scores]) -> Scores:
    """Means over at least two data sets; H is the harmonic mean of the averaged base and new."""
    names = dict.fromkeys(score for scores in per_data.values() for score in scores if not score.endswith(CHANGE))
    cells = {name: [scores[name] for scores in per_data.values() if name in scores] for name in names}
    means = {name: fmean(values) for name, values in cells.items() if len(values) > 1}
    if {"base", "new", "H"} <= means.keys():
        means["H"] = harmonic(means["base"], means["new"])
    return {name: round(value, DIGITS) for name, value in means.items()}


def _row_of(number: Printed) -> tuple[str, str, str]:
    return number.table, number.row, number.shots
