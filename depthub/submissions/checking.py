"""The checks of all submissions of a board: each by itself, beside one another, and beside what was merged before."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from depthub.records.entries import RUNS as OWN_RUNS
from depthub.records.faults import Fault
from depthub.records.result import RunResult
from depthub.submissions import files
from depthub.submissions.definition import FILE as DEFINITION, Definition, read
from depthub.submissions.folders import SIGNERS, SUBMISSIONS, folders, own_runs
from depthub.submissions.signatures import Signers
from depthub.submissions.validation import validate
from depthub.submissions.verdict import FileFault, Verdict
from depthub.system.provenance import cores

BOARD = "(board)"  # in the place of a submission's name
KEEPERS = "is not as it was merged; those who keep the board change it, not a submission"
FEW = 8  # submissions that are checked here rather than by further processes


def verdicts(folder: Path, *, before: Path | None = None) -> list[Verdict]:
    """The checks of all submissions of a board, also of one against another.

    Args:
        folder: of the board.
        before: the same folder as it was merged before; what it has must be here unchanged, with at most further records.

    Raises:
        DepthubError: if the board has no usable definition.
    """
    merged = {path.name for path in folders(before)} if before else set()
    places = sorted(folders(folder), key=lambda path: (path.name not in merged, path.name))  # what was first has the runs that two have
    outcomes = _validated(places, read(folder), Signers(folder / SIGNERS))
    outcomes = sorted(_against_others(outcomes, _own_ids(folder)), key=lambda outcome: outcome.name)
    return outcomes if before is None else [*_against_earlier(outcomes, folder, before)]


def verdict(submission: Path, folder: Path) -> Verdict:
    """The checks of one submission, which need not lie in the board's folder, also against the board's other rows.

    Raises:
        DepthubError: if the board has no usable definition.
    """
    definition, name = read(folder), submission.absolute().name
    outcome = validate(submission.absolute(), definition, Signers(folder / SIGNERS))
    others = _validated([path for path in folders(folder) if path.name != name], definition, Signers(folder / SIGNERS))
    return next(checked for checked in _against_others([*others, outcome], _own_ids(folder)) if checked.name == name)


def _own_ids(folder: Path) -> set[str]:
    return {run.spec.run_id for run in own_runs(folder)[0]}


def _validated(places: Sequence[Path], definition: Definition, signers: Signers) -> list[Verdict]:
    if len(places) <= FEW:
        return [validate(folder, definition, signers) for folder in places]
    check = partial(_for_a_board, definition=definition, signers=signers)
    with ProcessPoolExecutor(min(cores(), len(places)), mp_context=get_context("forkserver"), initializer=gc.disable) as pool:
        return list(pool.map(check, places, chunksize=4))


def _for_a_board(folder: Path, definition: Definition, signers: Signers) -> Verdict:
    """A verdict whose runs have what a board needs of them: all else would go from one process to another in vain."""
    outcome = validate(folder, definition, signers)
    return replace(outcome, results=tuple(map(_brief, outcome.results)))


def _brief(run: RunResult) -> RunResult:
    tasks = {name: replace(tested, sentences=()) for name, tested in run.tasks.items()}
    return replace(run, predictions={}, samples=(), stages=(), provenance={}, tasks=tasks)


def _against_others(outcomes: Sequence[Verdict], own_ids: set[str]) -> Iterator[Verdict]:
    """The verdicts, with the faults that only show beside other submissions; of two with one run the first has it."""
    contacts = {outcome.name: outcome.document["submitter"]["contact"] if outcome.document else "" for outcome in outcomes}
    first = dict.fromkeys(own_ids, "the board's own runs")
    for outcome in outcomes:
        faults = []
        if outcome.document and (earlier := outcome.document["supersedes"]) and contacts.get(earlier) != contacts[outcome.name]:
            reason = f"{earlier!r} is a submission by somebody else" if earlier in contacts else f"there is no submission {earlier!r}"
            faults.append(FileFault(files.SUBMISSION, Fault("supersedes", reason)))
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
    if of_board := [FileFault(name, Fault("", KEEPERS)) for name in _changed_files(folder, before)]:
        present[BOARD] = Verdict(BOARD, tuple(of_board), {})
    for path in folders(before):
        changed = [FileFault(name, Fault("", reason)) for name, reason in _changes(path, folder / SUBMISSIONS / path.name)]
        if changed:
            outcome = present.get(path.name, Verdict(path.name, (), {}))
            present[path.name] = replace(outcome, faults=(*outcome.faults, *changed))
    yield from (present[name] for name in sorted(present))


def _changed_files(folder: Path, before: Path) -> Iterator[str]:
    """The files that decide what is valid, where they are not as they were: definition, signers, the board's own runs."""
    runs = {path.relative_to(place) for place in (folder, before) for path in place.glob(f"{OWN_RUNS}/*")}
    for name in sorted({Path(DEFINITION), Path(SIGNERS), *runs}):
        contents = [path.read_bytes() if path.is_file() else None for path in (folder / name, before / name)]
        if contents[0] != contents[1]:
            yield name.as_posix()


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
