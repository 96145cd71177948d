"""Cells of a notebook: code that is in no file, with its source where IPython puts it."""

from __future__ import annotations

import linecache
from itertools import count
from typing import Any

_numbers = count(1)


class Notebook:
    """Runs cells one after another, in one namespace."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def run(self, source: str, *, readable: bool = True) -> dict[str, Any]:
        """Run a cell and return the namespace.

        Args:
            source: of the cell.
            readable: whether the source can be read later, as in a notebook; false as for `python -c`.
        """
        place = f"<cell {next(_numbers)}>"
        if readable:
            linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)
        exec(compile(source, place, "exec", dont_inherit=True), self.names)
        return self.names
