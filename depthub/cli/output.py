"""Tables of the commands on finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from depthub.values.text import plain

if TYPE_CHECKING:
    from rich.table import Table


def number_table(*names: str, numbers: Sequence[str], title: str | None = None) -> Table:
    """An empty table: columns of names, which may fold, then columns of numbers."""
    from rich.table import Column, Table

    columns = (*(Column(name, overflow="fold") for name in names), *(Column(name, justify="right") for name in numbers))
    return Table(*columns, title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))


def show_table(table: Table, notes: Sequence[str] = ()) -> None:
    """Print a table, then a line for each note."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(table)
    for note in notes:
        console.print(plain(note), soft_wrap=True)
