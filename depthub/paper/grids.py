"""Grids of text: one form of a table for the terminal and for Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from depthub.paper.cells import Cell
from depthub.values.text import markdown

NUMBERS = re.compile(r"[-+–±!*%,.0-9 a-z()]*")


@dataclass(frozen=True)
class Grid:
    """A table of text.

    Args:
        title: above it.
        columns: the first is of labels, the others are of numbers.
        rows: as many texts each.
        notes: below it, a line each.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """The table in GitHub's Markdown."""
        head = [f"| {' | '.join(map(_escaped, self.columns))} |", f"|---|{'--:|' * (len(self.columns) - 1)}"]
        rows = [f"| {' | '.join(map(_escaped, row))} |" for row in self.rows]
        parts = [f"**{markdown(self.title)}**\n"] if self.title else []
        return "\n".join([*parts, *head, *rows, *(f"\n{markdown(note)}" for note in self.notes)])


def number(value: float | None) -> str:
    """Two decimals, a dash for none."""
    return "–" if value is None else f"{value:.2f}"


def signed(value: float | None) -> str:
    """With its sign, a dash for none."""
    return "–" if value is None else f"{value:+.2f}"


def measured(cell: Cell, *, spread: bool = True) -> str:
    """The value, with its deviation over seeds or without."""
    if cell.measured is None:
        return "–"
    return str(cell.measured) if spread else number(cell.measured.mean)


def difference(cell: Cell) -> str:
    """The difference from print; an exclamation mark where it lies outside the spread."""
    mark = "!" if cell.is_within is False else ""
    return f"{signed(cell.difference)}{mark}" if cell.difference is not None else "–"


def in_three_lines(label: str, cells: Sequence[Cell], *, spread: bool = True) -> Iterator[list[str]]:
    """A row of measured numbers and, where any of them is in print, of printed ones and of the differences.

    Args:
        label: of the row.
        cells: its numbers.
        spread: whether deviations over seeds stand beside the measured ones.
    """
    yield [label, *(measured(cell, spread=spread) for cell in cells)]
    if any(cell.printed is not None for cell in cells):
        yield ["  in print", *(number(cell.printed) for cell in cells)]
        yield ["  minus print", *map(difference, cells)]


def _escaped(text: str) -> str:
    """A cell of Markdown; of numbers nothing has to be escaped, and their points stay as they are."""
    return text if NUMBERS.fullmatch(text) else markdown(text)
