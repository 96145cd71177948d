"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table with one line a row; text breaks no cell."""
    return "\n".join(_line(cells) for cells in (head, ["---"] * len(head), *rows))


def yes(truth: bool) -> str:
    """A mark in a table of abilities; an empty cell says no."""
    return "yes" if truth else ""


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(' '.join(str(cell).split()).replace('|', '&#124;') for cell in cells)} |"
