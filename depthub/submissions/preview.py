"""Where a submission would stand on its board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthub.boards import board, load_board
from depthub.boards.pairs import Cells, Pair, pairs
from depthub.errors import DepthubError, hint
from depthub.records.result import RunResult
from depthub.submissions.board import standing_rows
from depthub.submissions.files import RUNS
from depthub.submissions.folders import SUBMISSIONS, own_runs
from depthub.submissions.rows import declared
from depthub.submissions.run_lines import read_runs
from depthub.submissions.verdict import Verdict


@dataclass(frozen=True)
class Preview:
    """A board with a submission on it.

    Args:
        document: the board's.
        row: of the submission.
        setting: of that row.
    """

    document: Mapping[str, Any]
    row: Mapping[str, Any]
    setting: Mapping[str, Any]


def preview(verdict: Verdict, folder: Path) -> Preview:
    """The board with a valid submission on it.

    Args:
        verdict: of the submission.
        folder: of the board.

    Raises:
        DepthubError: if the submission has faults, or the board cannot be read.
    """
    if not verdict.valid:
        raise DepthubError(f"{verdict.name} is not valid; the first fault: {verdict.faults[0]}")
    results, declarations = standing_rows(folder, without={verdict.name, str(verdict.document["supersedes"])})
    declaration = declared(verdict.document, "checked")
    results += verdict.results
    declarations |= {run.spec.run_id: declaration for run in verdict.results}
    document = board(results, "preview", declared=declarations)
    row = next(row for row in document["rows"] if row.get("submission") == verdict.name)
    return Preview(document, row, next(entry for entry in document["settings"] if entry["name"] == row["setting"]))


def beside(cells: Cells, folder: Path, label: str) -> list[Pair]:
    """A row image by image beside a row of a board.

    Args:
        cells: the runs of the first row.
        folder: of the board.
        label: of the second row, as in the board's table, or the id of its submission.

    Raises:
        DepthubError: if the board has no such row, or nothing can be compared.
    """
    return pairs(cells, row_cells(folder, label))


def row_cells(folder: Path, label: str) -> Cells:
    """The runs of a row of a board by data set and seed.

    Raises:
        DepthubError: if there is no such row.
    """
    rows = load_board(folder)["rows"]
    row = next((row for row in rows if label in (row["label"], row.get("submission"))), None)
    if row is None:
        raise DepthubError(f"no row {label!r} on {folder}{hint(label, [row['label'] for row in rows])}")
    ids = {run["run_id"] for run in row["runs"]}
    if "submission" in row:
        results = list(read_runs(folder / SUBMISSIONS / row["submission"] / RUNS)[0].values())
    else:
        results, _ = own_runs(folder)
    return cells_of([run for run in results if run.spec.run_id in ids])


def cells_of(results: list[RunResult] | tuple[RunResult, ...]) -> Cells:
    """Runs of one row by data set and seed."""
    return {(run.spec.without_places().data.name, run.spec.seed): run for run in results}
