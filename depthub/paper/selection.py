"""The runs of an exhibit: those that its suites ask for, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from depthub.boards.summary import shared
from depthub.errors import DepthubError
from depthub.paper.cells import Cells, has_model, printed_of
from depthub.paper.exhibit import Exhibit, ExhibitRow, SuitePart, paper
from depthub.protocol import Summary
from depthub.records.result import RunResult
from depthub.suites.board import Board
from depthub.suites.reading import board_of, read_board, read_suite
from depthub.suites.suite import Suite

SEVERAL_SHOTS, SEVERAL_CUTS, ONE_SOURCE = ("shots", "shots curve"), "cuts", "transfer"  # kinds of exhibits


def suites_of(exhibit: Exhibit, board: str, seeds: Sequence[int]) -> dict[str, Suite]:
    """The suites of an exhibit on a board, or on its companion with the protocol that they need; by name.

    Args:
        exhibit: whose runs are wanted.
        board: a name, or the path of a YAML file.
        seeds: instead of the board's; none: the board's own.

    Raises:
        DepthubError: for a seed that is named twice; if neither the board nor a companion has the protocol, or the board has several runs
            for one cell.
    """
    if repeated := [seed for seed in seeds if seeds.count(seed) > 1]:
        raise DepthubError(f"seed {repeated[0]} is named twice, expected each seed once")
    boards = {name: read_board(name) for name in (board, *read_board(board).companions)}
    return {part.name: _suite(exhibit, part, boards, seeds) for part in exhibit.suites}


@dataclass(frozen=True, eq=False)
class Selection:
    """An exhibit with its runs.

    Args:
        exhibit: with its rows.
        suites: of its runs, by name.
        results: finished runs of each of its suites, by name.
        missing: number of runs that failed or were not done.
    """

    exhibit: Exhibit
    suites: Mapping[str, Suite]
    results: Mapping[str, Sequence[RunResult]]
    missing: int = 0

    @cached_property
    def runs(self) -> list[RunResult]:
        """Those of its rows, each once; a board's reference rows may not be among them."""
        every = {run.spec.run_id: run for runs in self.results.values() for run in runs}
        return [run for run in every.values() if any(row.holds(run.spec) for row in self.exhibit.rows)]

    @property
    def data(self) -> list[str]:
        """Names of the data sets, in order."""
        return list(dict.fromkeys(run.spec.data.name for run in self.runs))

    @property
    def seeds(self) -> list[int]:
        """In order."""
        return sorted({run.spec.seed for run in self.runs})

    @property
    def shots(self) -> list[int]:
        """Images of each class, in order."""
        return sorted({run.spec.shots for run in self.runs})

    @cached_property
    def same_model(self) -> bool:
        """Whether all runs have the model of the print."""
        return all(has_model(run, paper().backbone) for run in self.runs)

    def cells(self, suite: str = "", shots: int | None = None) -> list[Cells]:
        """The rows of the exhibit that have a run or a number in print, in order.

        Args:
            suite: whose runs count; empty: all.
            shots: images of each class; None: of every number.

        Raises:
            DepthubError: if the runs declare their scores differently.
        """
        runs = [run for run in (self.results[suite] if suite else self.runs) if shots in (None, run.spec.shots)]
        summary = shared({run.spec.run_id: run for run in runs}) if runs else Summary("")
        return [self._cells(row, runs, summary, shots) for row in self.exhibit.rows]

    def _cells(self, row: ExhibitRow, runs: Sequence[RunResult], summary: Summary, shots: int | None) -> Cells:
        by_data: dict[str, dict[int, RunResult]] = {}
        for run in runs:
            if row.holds(run.spec):
                by_data.setdefault(run.spec.data.name, {})[run.spec.seed] = run
        return Cells(row, by_data, summary, printed_of(row, self.exhibit.printed, shots), self.same_model)


def hosted(rows: Sequence[Cells]) -> Iterator[tuple[Cells, Cells, tuple[str, str]]]:
    """Each row that has a host, the host, and the names of both: "CoOp+DePT" where the row is called "+DePT".

    Args:
        rows: of an exhibit.
    """
    for row in rows:
        host = next((other for other in rows if row.row.host and other.row.label == row.row.host), None)
        if host:
            yield row, host, (name_of(row.row), name_of(host.row))


def name_of(row: ExhibitRow) -> str:
    """The row's label, with its host where it begins with a plus."""
    return f"{row.host}{row.label}" if row.label.startswith("+") else row.label


def scores_of(summary: Summary, names: Sequence[str]) -> list[str]:
    """The scores that a table shows: the headline, before it the parts that it is made of; all scores where it is made of none."""
    parts = summary.harmonic.get(summary.headline)
    return [*parts, summary.headline] if parts else list(names)


def _suite(exhibit: Exhibit, part: SuitePart, boards: Mapping[str, Board], seeds: Sequence[int]) -> Suite:
    protocol = board_of(part.name).protocol.name
    place = next((name for name, board in boards.items() if board.protocol.name == protocol), None)
    if place is None:
        first, protocols = next(iter(boards)), ", ".join(board.protocol.name for board in boards.values())
        raise DepthubError(
            f"{exhibit.name} needs protocol {protocol}; board {first} and its companions have {protocols}: "
            "name a board with that protocol among its companions"
        )
    suite = read_suite(part.name, place)
    _require_one_run(exhibit, suite)
    data = [name for name in suite.board.data if name in exhibit.data] or suite.board.data
    board = replace(suite.board, data=data, seeds=seeds or suite.board.seeds, reference=())  # no exhibit shows the board's own rows
    return replace(suite, board=board, controls=suite.controls if part.controls is None else part.controls)


def _require_one_run(exhibit: Exhibit, suite: Suite) -> None:
    """Refuse a board on which several runs would stand in one cell: an average would be over another set of runs than it says.

    Raises:
        DepthubError: for several shots, samples, cuts, or sources of a transfer, where the exhibit is not about them.
    """
    board, kind = suite.board, exhibit.kind
    several: dict[str, list[Any]] = {
        "shots": list(board.shots) if kind not in SEVERAL_SHOTS else [],
        "samples": list(board.samples),
        "cuts": list(board.cuts) if kind != SEVERAL_CUTS else [],
        "data": list(board.data) if kind == ONE_SOURCE else [],
    }
    for name, values in several.items():
        if len(values) > 1:
            listed = ", ".join(map(str, values))
            raise DepthubError(f"{exhibit.name}: board {board.name} has {name} {listed}, expected one; give a board with one")
