"""Suites: methods, heads and settings on a board."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from depthub.errors import DepthubError
from depthub.registry import presets
from depthub.registry.plugins import Plugins
from depthub.spec import Component, RunSpec, TextsSpec
from depthub.suites.board import Board

Pair = tuple[Component, Component]


@dataclass(frozen=True)
class Row:
    """A method with a head in a recipe, which becomes one row of a leaderboard.

    Args:
        method, head: with the settings that are stated.
        training: values of the recipe that differ from the preset's and the board's.
        preset: published values, see `depthub.with_preset`; empty: the default preset.
        shots: instead of the board's; empty: the board's.
        texts: a file of class texts, or the name of a plugin's; empty: none.
    """

    method: Component
    head: Component
    training: Mapping[str, Any] = field(default_factory=dict)
    preset: str = ""
    shots: Sequence[int] = ()
    texts: str = ""


@dataclass(frozen=True)
class Suite:
    """Rows on a board.

    Args:
        name: of the suite.
        board: of all rows.
        rows: each with the board's reference rows beside it.
        exclude: conditions on runs that are left out: parts of a run's spec by name, all of which must agree.
        controls: whether a row whose head declares a control has it beside it, see `Head.control`.
        title: one line.
        notes: for readers of the results.
        plugins: that provide the components.
    """

    name: str
    board: Board
    rows: Sequence[Row]
    plugins: Plugins
    exclude: Sequence[Mapping[str, Any]] = ()
    controls: bool = False
    title: str = ""
    notes: str = ""

    def specs(self) -> list[RunSpec]:
        """The runs, each once, in the order of data sets, then rows, then seeds; not resolved.

        Raises:
            DepthubError: if nothing is left, or a preset does not fit.
        """
        rows = self.all_rows()
        by_row = [self.specs_of(row) for row in rows]
        order = {name: place for place, name in enumerate(self.board.data)}
        specs = sorted((spec for specs in by_row for spec in specs), key=lambda spec: order[spec.data.name])
        remaining = [spec for spec in specs if not any(_agrees(spec, condition) for condition in self.exclude)]
        if not remaining:
            raise DepthubError(f"suite {self.name!r} has no runs: everything is excluded")
        return list({repr(spec): spec for spec in remaining}.values())  # in a tenth of the time of their ids

    def specs_of(self, row: Row) -> list[RunSpec]:
        """The runs of a row on the board, not resolved; with those that the suite excludes."""
        return [self._spec(cell, row) for cell in self.board.cells(row.shots)]

    def all_rows(self) -> list[Row]:
        """The board's reference rows, the suite's, and controls if it asks for them; equal ones once."""
        rows = [*(Row(method, head) for method, head in self.board.reference), *self.rows]
        if self.controls:
            rows = [other for row in rows for other in (row, *self._control(row))]
        return [row for place, row in enumerate(rows) if row not in rows[:place]]

    def _control(self, row: Row) -> Iterator[Row]:
        control = self.plugins.get("heads", row.head.name).control
        if control:
            yield replace(row, head=Component(row.head.name, control))

    def _spec(self, cell: RunSpec, row: Row) -> RunSpec:
        settings = {**self.board.settings.get(row.method.name, {}), **row.method.settings}
        texts = TextsSpec(row.texts) if row.texts else None
        spec = replace(cell, method=Component(row.method.name, settings), head=row.head, texts=texts)
        changes = {**self.board.training, **row.training}
        if row.preset:
            spec = presets.with_preset(spec, row.preset)
        return replace(spec, training=replace(presets.recipe(spec, self.plugins), **changes))


def _agrees(spec: RunSpec, condition: Mapping[str, Any]) -> bool:
    """Whether a run has all parts of a condition: names of method, head, protocol and data set, or shots, seed, sample."""
    return all(_part(spec, name) in (value if isinstance(value, list) else [value]) for name, value in condition.items())


def _part(spec: RunSpec, name: str) -> Any:
    part = getattr(spec, name)
    return getattr(part, "name", part)
