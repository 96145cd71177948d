"""Runs on their way to results: stored results are found, the other runs are done here, in stacks, or by an executor."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from depthub.compute.device import determinism
from depthub.running.batches import packs
from depthub.running.claims import Claims
from depthub.running.packs import through
from depthub.running.run_job import RunJob
from depthub.running.stored import usable
from depthub.running.work import Event, Work

if TYPE_CHECKING:
    from depthub.executor import Executor
    from depthub.records.result import RunResult
    from depthub.records.store import Store
    from depthub.running.options import OnNote, RunOptions
    from depthub.running.resolved import Resolved
    from depthub.training.job import OnEpoch


def carry_out(
    runs: Sequence[Resolved],
    store: Store,
    options: RunOptions,
    note: OnNote,
    *,
    executor: Executor | None = None,
    on_epoch: OnEpoch | None = None,
    on_alone: OnNote | None = None,
    session_part: str = "",
    in_pack: bool = False,
) -> Generator[Event, None, None]:
    """Find the results of runs, or do the runs; a failure does not stop the others, and is recorded in the run's folder.

    Of several processes that do the same runs in one store, on this machine or on others, one does each run.

    Args:
        runs: resolved.
        store: of the results.
        options: see `RunOptions`.
        note: called with each difference from a stored result or a checkpoint; each line once.
        executor: does packs of runs; None: this process does the runs.
        on_epoch: called with the number of epochs done and the mean loss; without an executor only.
        on_alone: called with the reason why runs that might train together do not.
        session_part: a part of the runs that only this process has, in words; empty if there is none.
        in_pack: whether these are the runs of a pack, see `Work`; the outcome of runs that other processes do is then a `BusyError`.

    Yields:
        (index, result or error, found_on_disk) when a run ends.
    """
    note = _each_line_once(note)
    indices = []  # of the runs that must be done
    for index, run in enumerate(runs):
        outcome = None if options.force else _stored(run, store, note, options.download)
        if outcome is None:
            indices.append(index)
        else:
            yield index, outcome, not isinstance(outcome, Exception)
    if not indices:
        return
    store.require_writable()
    remaining = [runs[index] for index in indices]
    if executor:
        events = through(executor, remaining, packs(remaining, options.stack, executor.slots), store, options, session_part)
    else:
        begin = partial(RunJob, store=store, options=options, on_epoch=on_epoch, note=note)
        find = None if options.force else partial(_stored, store=store, note=note, download=options.download)
        events = Work(begin, find, Claims(store.root), options, on_alone, in_pack).carry_out(remaining)
    with determinism(options.deterministic), closing(events):  # workers stop at once if the caller does
        for place, outcome, found_on_disk in events:
            yield indices[place], outcome, found_on_disk


def _stored(run: Resolved, store: Store, note: OnNote, download: bool) -> RunResult | Exception | None:
    """The stored result of a run, None if there is none that can be used, or the error of looking for it."""
    try:
        return usable(run, store, note, download)
    except Exception as error:
        return error


def _each_line_once(note: OnNote) -> OnNote:
    """Notes that many runs share are passed on once."""
    lines: set[str] = set()

    def note_once(line: str) -> None:
        if line not in lines:
            lines.add(line)
            note(line)

    return note_once
