"""Two runs side by side, for `depthub runs diff`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table

from depthub.cli.table import shown

if TYPE_CHECKING:
    from depthub.protocol import Count
    from depthub.records.comparison import Comparison

NAMES = ("A", "B")
MCNEMAR = ("both right", "only A", "only B", "none")


def show(comparison: Comparison) -> None:
    """Tables, the first run as A and the second as B."""
    console = Console(highlight=False, markup=False)
    for name, run_id in zip(NAMES, comparison.run_ids, strict=True):
        console.print(f"{name} is run {run_id}", soft_wrap=True)
    _show_pairs(console, "settings that differ", comparison.settings)
    _show_pairs(console, "code, data and versions that differ", comparison.inputs)
    table = _table("counts and scores", NAMES, justify="right")
    for task, counts in comparison.counts.items():
        table.add_row(shown(f"task {task}"), *map(_count, counts))
    for name, scores in comparison.scores.items():
        table.add_row(shown(name), *("-" if score is None else f"{score:.2f}" for score in scores))
    console.print(table)
    if comparison.mcnemar:
        table = _table("the same test images, by the run that was right", MCNEMAR, justify="right")
        for task, cells in comparison.mcnemar.items():
            table.add_row(shown(f"task {task}"), *map(str, astuple(cells)))
        console.print(table)


def _show_pairs(console: Console, title: str, pairs: Mapping[str, tuple[Any, Any]]) -> None:
    if not pairs:
        console.print(f"{title}: none")
        return
    table = _table(title, NAMES, justify="left")
    for name, pair in pairs.items():
        table.add_row(shown(name), *(shown(_value(value)) for value in pair))
    console.print(table)


def _table(title: str, columns: Iterable[str], justify: Any) -> Table:
    cells = (Column(name, justify=justify, overflow="fold") for name in columns)
    return Table("", *cells, title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 2))


def _value(value: Any) -> str:
    """A value, or `-` for none; digests are shortened."""
    text = "-" if value is None else str(value)
    return text[:12] if len(text) == 64 and not text.strip("0123456789abcdef") else text


def _count(count: Count | None) -> str:
    return "-" if count is None else f"{count.n_correct}/{count.n_total}"
