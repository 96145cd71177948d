"""The runs of one row of a board, among all runs at a place."""

from __future__ import annotations

from pathlib import Path

from depthub.boards.labels import row_label, texts_in_words
from depthub.boards.rows import settings
from depthub.errors import DepthubError, hint
from depthub.records.document import StoredRun
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.submissions.definition import SHARED, Definition
from depthub.values.text import listed


def chosen_runs(place: Path, definition: Definition, label: str, *, per_data_settings: bool) -> list[StoredRun]:
    """The runs of one row of the board.

    Raises:
        DepthubError: if there are none, or of several rows.
    """
    if not place.exists():
        raise DepthubError(f"no folder {place}; give the folder that holds the runs")
    runs = {run.result.spec.run_id: run for run in Store(place).stored() if isinstance(run, StoredRun)}
    of_board = {run_id: run for run_id, run in runs.items() if _fits(run.result, definition)}
    if not of_board:
        raise DepthubError(f"none of {len(runs)} runs in {place} has the protocol, backbone, shots, data and seeds of {definition.name}")
    rows = [row for of_setting in settings({name: run.result for name, run in of_board.items()}, {}) for row in of_setting]
    if per_data_settings:
        names = {row_label(row.spec): row for row in rows}
        by_label = {name: [run_id for row in rows if row_label(row.spec) == name for run_id in row.runs] for name in names}
    else:
        by_label = {", ".join(filter(None, (row.label, texts_in_words(row.spec)))): list(row.runs) for row in rows}
    if label and label not in by_label:
        raise DepthubError(f"no row {label!r} among the runs in {place}{hint(label, by_label)}")
    if not label and len(by_label) > 1:
        raise DepthubError(f"runs of {len(by_label)} rows in {place}: {listed(sorted(by_label), 6)}; choose one with --row")
    return [of_board[run_id] for run_id in by_label[label or next(iter(by_label))]]


def _fits(run: RunResult, definition: Definition) -> bool:
    spec = run.spec.without_places().as_dict()
    return definition.cell_of(run) is not None and all(spec[key] == definition.document[key] for key in SHARED)
