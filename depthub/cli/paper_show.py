"""The exhibits of `depthub paper` as files and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from depthub.cli.output import number_table, show_table
from depthub.paper.documents import Document, contents, document
from depthub.paper.selection import Selection
from depthub.system.activity import tell
from depthub.system.files import atomic_write
from depthub.values.text import plain

if TYPE_CHECKING:
    from rich.table import Table

    from depthub.paper.grids import Grid

LONGEST = 28  # characters of a label that are not folded


def write_and_show(selections: Sequence[Selection], out: Path) -> None:
    """Write each exhibit, and print it.

    Args:
        selections: the exhibits with their runs.
        out: the folder of the files.

    Raises:
        DepthubError: if a file cannot be written.
    """
    for selection in selections:
        tell(f"making {selection.exhibit.name}")
        one = document(selection)
        files = one.write(out)
        _show(one)
        print(plain(f"{', '.join(map(str, files))}\n"))
    print(plain(str(atomic_write(out / "index.md", contents(out).encode()))))


def _show(one: Document) -> None:
    print(plain(one.exhibit.title))
    for line in (*one.lines, *one.shown.notes):
        print(plain(f"  {line}"))
    for grid in one.shown.grids:
        show_table(_table(grid), grid.notes)


def _table(grid: Grid) -> Table:
    table = number_table(grid.columns[0], numbers=grid.columns[1:], title=plain(grid.title) or None)
    table.columns[0].min_width = min(LONGEST, max(len(row[0]) for row in grid.rows) if grid.rows else 0)
    for column in table.columns[1:]:
        column.overflow = "fold"  # a header that is cut off could be another's
    for row in grid.rows:
        table.add_row(*map(plain, row))
    return table
