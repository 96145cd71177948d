"""The leaderboard of a board's own runs and of its valid submissions."""

from __future__ import annotations

import gc
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from depthub.boards import board
from depthub.boards.rows import Declared, settings
from depthub.records.result import RunResult
from depthub.statistics.averages import CONVENTION, Convention
from depthub.submissions import rows
from depthub.submissions.checking import verdicts
from depthub.submissions.definition import FILE as DEFINITION, Definition, read
from depthub.submissions.folders import SUBMISSIONS, own_runs
from depthub.submissions.verdict import Verdict
from depthub.submissions.verification import agreed


def of_folder(folder: Path, title: str, how: Convention = CONVENTION) -> dict[str, Any]:
    """The leaderboard of a board's own runs and of its valid submissions that are neither withdrawn nor superseded.

    Args:
        folder: with a definition.
        title: of the board.
        how: average of harmonic scores over data sets.

    Raises:
        DepthubError: as `boards.board` does, and if nothing is left.
    """
    (results, unreadable), outcomes = own_runs(folder), verdicts(folder)
    gc.freeze()  # thousands of runs stay until the end; looking through them for garbage again and again takes seconds
    results, declared = _standing(results, outcomes, read(folder))
    invalid = [_left_out(outcome) for outcome in outcomes if not outcome.valid]
    return board(results, title, how, [*unreadable, *invalid], declared)


def standing_rows(folder: Path, without: Collection[str] = ()) -> tuple[list[RunResult], dict[str, Declared]]:
    """The runs that a board is made of, and what is declared about them by run id.

    Args:
        folder: of the board; one without a definition has its own runs alone.
        without: submissions to leave out.
    """
    results, _ = own_runs(folder)
    if not (folder / DEFINITION).is_file():
        return results, {}
    return _standing(results, [outcome for outcome in verdicts(folder) if outcome.name not in without], read(folder))


def _standing(
    results: Sequence[RunResult], outcomes: Sequence[Verdict], definition: Definition
) -> tuple[list[RunResult], dict[str, Declared]]:
    superseded = {outcome.document["supersedes"] for outcome in outcomes if outcome.valid}
    standing = [outcome for outcome in outcomes if outcome.valid and not outcome.document["withdrawn"] and outcome.name not in superseded]
    declared = _own_levels(results, definition)
    for outcome in standing:
        declaration = rows.declared(outcome.document, "reproduced" if agreed(outcome.verifications) else "checked")
        declared |= {run.spec.run_id: declaration for run in outcome.results}
    return [*results, *(run for outcome in standing for run in outcome.results)], declared


def _left_out(outcome: Verdict) -> dict[str, str]:
    more = f" and {len(outcome.faults) - 1} more faults" if len(outcome.faults) > 1 else ""
    return {"file": f"{SUBMISSIONS}/{outcome.name}", "reason": f"submission {outcome.name}: {outcome.faults[0]}{more}"}


def _own_levels(results: Sequence[RunResult], definition: Definition) -> dict[str, Declared]:
    """The board's own rows: checked where all their runs are as the definition asks."""
    runs = {run.spec.run_id: run for run in results}
    declared: dict[str, Declared] = {}
    for row in [row for of_setting in settings(runs, {}) for row in of_setting] if runs else []:
        cells = {definition.cell_of(run) for run in row.runs.values() if not any(definition.faults(run))}
        if cells == set(definition.cells):
            declared |= dict.fromkeys(row.runs, replace(row.declared, level="checked"))
    return declared
