"""Arithmetic of printed tables: numbers that do not follow from the numbers beside them, whatever was measured.

A printed number stands for all numbers that round to it; a finding is a contradiction for every one of these. What is checked:

- H against the harmonic mean of base and new, in each cell and in averages;
- averages of scores other than H against the mean of their cells;
- changes against the difference from the first row of the table;
- the grid of values: where nearly all accuracies of a table are means of n values with one decimal, as three runs reported by one decimal
  give multiples of 1/30, those that cannot be such means;
- one quantity in two tables with two values; averages only where the two are known to be over the same data sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from depthub.literature.printed import AVERAGE, CHANGE, Printed
from depthub.statistics.averages import harmonic

Kind = Literal["harmonic", "average", "change", "grid", "tables"]
GRIDS = (3, 4, 5)  # numbers of seeds whose means of one-decimal values are looked for
NEARLY_ALL = 0.98
FEWEST = 40  # cells for a grid to show: of random values with two decimals three in ten are multiples of 1/30


@dataclass(frozen=True)
class Finding:
    """A contradiction.

    Args:
        kind: of the check.
        number: that does not follow.
        expected: what it should be, in words.
    """

    kind: Kind
    number: Printed
    expected: str

    def __str__(self) -> str:
        return f"{self.number.place}: printed {self.number.text}, {self.expected}"


def findings(numbers: Sequence[Printed], protocols: Mapping[str, str] | None = None) -> list[Finding]:
    """Every contradiction among printed numbers, in their order.

    Args:
        numbers: of tables.
        protocols: of tables, as far as they are known; averages of two tables of one protocol are over the same data sets.
    """
    of_tables = _other_tables(numbers, protocols or {})
    contradictions = [*_harmonic(numbers), *_averages(numbers), *_changes(numbers), *_off_grid(numbers), *of_tables]
    order = {number: place for place, number in enumerate(numbers)}
    return sorted(contradictions, key=lambda finding: order[finding.number])


def _harmonic(numbers: Iterable[Printed]) -> Iterator[Finding]:
    for scores in _cells(numbers).values():
        if {"base", "new", "H"} <= scores.keys():
            base, new, score = scores["base"], scores["new"], scores["H"]
            low, high = (harmonic(base.value + sign * base.half, new.value + sign * new.half) for sign in (-1, 1))
            if not low - score.half <= score.value <= high + score.half:
                expected = harmonic(base.value, new.value)
                yield Finding("harmonic", score, f"but the harmonic mean of {base.text} and {new.text} is {expected:.{score.decimals}f}")


def _averages(numbers: Iterable[Printed]) -> Iterator[Finding]:
    for column in _grouped(numbers, lambda number: (number.table, number.row, number.shots, number.score)):
        cells = [number for number in column if number.data != AVERAGE]
        for average in column:
            if average.data == AVERAGE and cells and average.score != "H" and not average.score.endswith(CHANGE):
                mean = sum(cell.value for cell in cells) / len(cells)
                slack = average.half + sum(cell.half for cell in cells) / len(cells)
                if abs(mean - average.value) > slack + 1e-9:
                    yield Finding("average", average, f"but the mean of its {len(cells)} cells is {mean:.{average.decimals}f}")


def _changes(numbers: Sequence[Printed]) -> Iterator[Finding]:
    cells = _cells(numbers)
    first = {number.table: number.row for number in reversed(numbers)}
    for (table, row, data, shots), scores in cells.items():
        reference = cells.get((table, first[table], data, shots), {})
        for name, change in scores.items():
            score, start = scores.get(name.removesuffix(CHANGE)), reference.get(name.removesuffix(CHANGE))
            if name.endswith(CHANGE) and score and start and row != first[table]:
                difference = score.value - start.value
                if abs(difference - change.value) > change.half + score.half + start.half + 1e-9:
                    yield Finding("change", change, f"but {score.text} - {start.text} is {difference:+.{change.decimals}f}")


def _off_grid(numbers: Iterable[Printed]) -> Iterator[Finding]:
    for table in _grouped(numbers, lambda number: number.table):
        cells = [number for number in table if number.data != AVERAGE and number.score != "H" and not number.score.endswith(CHANGE)]
        for seeds in GRIDS:
            off = [cell for cell in cells if not _on_grid(cell, seeds)]
            if len(cells) >= FEWEST and 0 < len(off) <= (1 - NEARLY_ALL) * len(cells):
                share = f"{len(cells) - len(off)} of {len(cells)}"
                reason = f"which is no mean of {seeds} values with one decimal, as {share} accuracies of the table are"
                yield from (Finding("grid", cell, reason) for cell in off)
                break


def _on_grid(number: Printed, seeds: int) -> bool:
    step = 1 / (10 * seeds)
    return abs(number.value - round(number.value / step) * step) <= number.half + 1e-9


def _other_tables(numbers: Sequence[Printed], protocols: Mapping[str, str]) -> Iterator[Finding]:
    sets = _data_sets(numbers)
    for same in _grouped(numbers, lambda number: (number.row, number.data, number.shots, number.score)):
        for number in same[1:]:
            differs = abs(number.value - same[0].value) > number.half + same[0].half + 1e-9
            if differs and _comparable(number, same[0], sets, protocols):
                yield Finding("tables", number, f"but table {same[0].table} has {same[0].text}")


def _comparable(number: Printed, other: Printed, sets: Mapping[tuple[str, str], frozenset[str]], protocols: Mapping[str, str]) -> bool:
    """Whether two numbers of one name are one quantity: averages may be over other data sets."""
    if number.data != AVERAGE:
        return True
    one, two = (sets.get((each.table, each.score), frozenset()) for each in (number, other))
    if one and two:
        return one == two
    return protocols.get(number.table) is not None and protocols.get(number.table) == protocols.get(other.table)


def _data_sets(numbers: Iterable[Printed]) -> Mapping[tuple[str, str], frozenset[str]]:
    """The data sets with a score in a table."""
    cells = {(number.table, number.score, number.data) for number in numbers if number.data != AVERAGE}
    return {(table, score): frozenset(data for *place, data in cells if place == [table, score]) for table, score, _ in cells}


def _cells(numbers: Iterable[Printed]) -> Mapping[tuple[str, str, str, str], Mapping[str, Printed]]:
    cells: dict[tuple[str, str, str, str], dict[str, Printed]] = {}
    for number in numbers:
        cells.setdefault((number.table, number.row, number.data, number.shots), {})[number.score] = number
    return cells


def _grouped(numbers: Iterable[Printed], key: Callable[[Printed], Any]) -> Iterator[list[Printed]]:
    yield from (list(group) for _, group in groupby(sorted(numbers, key=key), key=key))
