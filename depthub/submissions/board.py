"""A board's folder with submissions: its definition, its own runs, the submissions, and the leaderboard of all that is valid."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from depthub.boards import board, left_out
from depthub.boards.rows import Declared, settings
from depthub.errors import DepthubError
from depthub.records.faults import Fault
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.statistics.averages import CONVENTION, Convention
from depthub.submissions import files, rows, validation
from depthub.submissions.definition import FILE as DEFINITION, Definition, read
from depthub.submissions.signatures import Signers
from depthub.submissions.validation import FileFault, Verdict
from depthub.submissions.verification import agreed
from depthub.system.provenance import cores

SUBMISSIONS, SIGNERS = "submissions", "allowed_signers"
FEW = 8  # submissions that are checked here rather than by further processes


def verdicts(folder: Path, *, before: Path | None = None) -> list[Verdict]:
    """The checks of all submissions of a board, also of one against another.

    Args:
        folder: of the board.
        before: the same folder as it was merged before; what it has must be here unchanged, with at most further records.

    Raises:
        DepthubError: if the board has no usable definition.
    """
    definition = read(folder)
    outcomes = _validated(_folders(folder), definition, Signers(folder / SIGNERS))
    outcomes = list(_against_others(outcomes, {run.spec.run_id for run in _own(folder)[0]}))
    return outcomes if before is None else [*_against_earlier(outcomes, folder, before)]


def verdict(submission: Path, folder: Path) -> Verdict:
    """The checks of one submission, which need not lie in the board's folder, also against the board's other rows.

    Raises:
        DepthubError: if the board has no usable definition.
    """
    definition, name = read(folder), submission.absolute().name
    outcome = validation.validate(submission.absolute(), definition, Signers(folder / SIGNERS))
    others = _validated([path for path in _folders(folder) if path.name != name], definition, Signers(folder / SIGNERS))
    own = {run.spec.run_id for run in _own(folder)[0]}
    return next(checked for checked in _against_others([*others, outcome], own) if checked.name == name)


def of_folder(folder: Path, title: str, how: Convention = CONVENTION) -> dict[str, Any]:
    """The leaderboard of a board's own runs and of its valid submissions that are neither withdrawn nor superseded.

    Args:
        folder: with a definition.
        title: of the board.
        how: average of harmonic scores over data sets.

    Raises:
        DepthubError: as `boards.board` does, and if nothing is left.
    """
    (own, unreadable), outcomes = _own(folder), verdicts(folder)
    results, declared = _standing(own, outcomes, read(folder))
    invalid = [_left_out(outcome) for outcome in outcomes if not outcome.valid]
    return board(results, title, how, [*unreadable, *invalid], declared)


def standing_rows(folder: Path, without: Collection[str] = ()) -> tuple[list[RunResult], dict[str, Declared]]:
    """The runs that a board is made of, and what is declared about them by run id.

    Args:
        folder: of the board; one without a definition has its own runs alone.
        without: submissions to leave out.
    """
    own, _ = _own(folder)
    if not (folder / DEFINITION).is_file():
        return own, {}
    return _standing(own, [outcome for outcome in verdicts(folder) if outcome.name not in without], read(folder))


def _standing(own: Sequence[RunResult], outcomes: Sequence[Verdict], definition: Definition) -> tuple[list[RunResult], dict[str, Declared]]:
    superseded = {outcome.document["supersedes"] for outcome in outcomes if outcome.valid}
    standing = [outcome for outcome in outcomes if outcome.valid and not outcome.document["withdrawn"] and outcome.name not in superseded]
    declared = _own_levels(own, definition)
    for outcome in standing:
        declaration = rows.declared(outcome.document, "reproduced" if agreed(outcome.verifications) else "checked")
        declared |= {run.spec.run_id: declaration for run in outcome.results}
    return [*own, *(run for outcome in standing for run in outcome.results)], declared


def _left_out(outcome: Verdict) -> dict[str, str]:
    more = f" and {len(outcome.faults) - 1} more faults" if len(outcome.faults) > 1 else ""
    return {"file": f"{SUBMISSIONS}/{outcome.name}", "reason": f"submission {outcome.name}: {outcome.faults[0]}{more}"}


def _folders(folder: Path) -> list[Path]:
    place = folder / SUBMISSIONS
    return sorted(path for path in place.iterdir() if not path.name.startswith(".")) if place.is_dir() else []


def _own(folder: Path) -> tuple[list[RunResult], list[dict[str, str]]]:
    """The board's own runs, and those of them that cannot be used."""
    place = (folder / files.RUNS.removesuffix(".jsonl")).absolute()
    outcomes = list(Store(place).scan())
    unreadable = [left_out(outcome, place) for outcome in outcomes if isinstance(outcome, DepthubError)]
    return [outcome for outcome in outcomes if isinstance(outcome, RunResult)], unreadable


def _validated(folders: Sequence[Path], definition: Definition, signers: Signers) -> list[Verdict]:
    if len(folders) <= FEW:
        return [validation.validate(folder, definition, signers) for folder in folders]
    check = partial(_for_a_board, definition=definition, signers=signers)
    with ProcessPoolExecutor(min(cores(), len(folders)), mp_context=get_context("forkserver")) as pool:
        return list(pool.map(check, folders, chunksize=4))


def _for_a_board(folder: Path, definition: Definition, signers: Signers) -> Verdict:
    """A verdict whose runs have what a board needs of them: all else would go from one process to another in vain."""
    outcome = validation.validate(folder, definition, signers)
    return replace(outcome, results=tuple(map(_brief, outcome.results)))


def _brief(run: RunResult) -> RunResult:
    tasks = {name: replace(tested, sentences=()) for name, tested in run.tasks.items()}
    return replace(run, predictions={}, samples=(), stages=(), provenance={}, tasks=tasks)


def _against_others(outcomes: Sequence[Verdict], own: set[str]) -> Iterator[Verdict]:
    """The verdicts, with the faults that only show beside other submissions."""
    names = {outcome.name for outcome in outcomes}
    first = dict.fromkeys(own, "the board's own runs")
    for outcome in outcomes:
        faults = []
        if outcome.document and (earlier := outcome.document["supersedes"]) and earlier not in names:
            faults.append(FileFault(files.SUBMISSION, Fault("supersedes", f"there is no submission {earlier!r}")))
        for run in outcome.results:
            holder = first.setdefault(run.spec.run_id, outcome.name)
            if holder != outcome.name and holder != (outcome.document or {}).get("supersedes"):
                reason = f"run {run.spec.run_id[:12]} is there already, in {holder}; `depthub submit verify` is for doing runs again"
                faults.append(FileFault(files.RUNS, Fault("run_id", reason)))
                break
        yield replace(outcome, faults=(*outcome.faults, *faults)) if faults else outcome


def _against_earlier(outcomes: Sequence[Verdict], folder: Path, before: Path) -> Iterator[Verdict]:
    """The verdicts, with a fault for each file that was merged and is no longer as it was."""
    present = {outcome.name: outcome for outcome in outcomes}
    for path in _folders(before):
        changed = [FileFault(name, Fault("", reason)) for name, reason in _changes(path, folder / SUBMISSIONS / path.name)]
        if changed:
            outcome = present.get(path.name, Verdict(path.name, (), {}))
            present[path.name] = replace(outcome, faults=(*outcome.faults, *changed))
    yield from (present[name] for name in sorted(present))


def _changes(before: Path, now: Path) -> Iterator[tuple[str, str]]:
    for name in files.LARGEST:
        earlier, later = (path / name for path in (before, now))
        if not earlier.is_file():
            continue
        if not later.is_file() or later.is_symlink():
            yield name, "was merged and is missing; a submission is withdrawn by a reason under `withdrawn`"
        elif name == files.VERIFICATION and not later.read_bytes().startswith(earlier.read_bytes()):
            yield name, "records that were merged were changed; new ones are appended"
        elif name != files.VERIFICATION and later.read_bytes() != earlier.read_bytes() and not _withdraws(earlier, later):
            yield name, "was merged and is changed; send a new submission that supersedes this one"


def _withdraws(earlier: Path, later: Path) -> bool:
    """Whether a submission's document differs in a new reason of its withdrawal alone."""
    try:
        one, other = (json.loads(path.read_bytes()) for path in (earlier, later))
        return bool(other["withdrawn"]) and {**one, "withdrawn": "", "sha256": ""} == {**other, "withdrawn": "", "sha256": ""}
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _own_levels(own: Sequence[RunResult], definition: Definition) -> dict[str, Declared]:
    """The board's own rows: checked where all their runs are as the definition asks."""
    runs = {run.spec.run_id: run for run in own}
    declared: dict[str, Declared] = {}
    for row in [row for of_setting in settings(runs, {}) for row in of_setting] if runs else []:
        cells = {definition.cell_of(run) for run in row.runs.values() if not any(definition.faults(run))}
        if cells == set(definition.cells):
            declared |= dict.fromkeys(row.runs, replace(row.declared, level="checked"))
    return declared
