"""Runs on their way to results: stored results are found, the other runs are done here, in stacks, or by an executor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from depthub.compute import processes
from depthub.compute.device import determinism
from depthub.compute.numerics import steady
from depthub.running.run_job import RunJob
from depthub.running.stored import usable
from depthub.system import launch
from depthub.training.grouping import MOST, group_jobs
from depthub.training.loop import fit_together

if TYPE_CHECKING:
    from depthub.executor import Executor
    from depthub.records.result import RunResult
    from depthub.records.store import Store
    from depthub.running.options import OnNote, RunOptions, StackSize
    from depthub.running.resolved import Resolved
    from depthub.spec import RunSpec
    from depthub.training.job import OnEpoch


def carry_out(
    runs: Sequence[Resolved],
    store: Store,
    options: RunOptions,
    note: OnNote,
    *,
    do: Callable[[RunSpec], RunResult],
    executor: Executor | None = None,
    on_epoch: OnEpoch | None = None,
    on_alone: OnNote | None = None,
) -> Generator[tuple[int, RunResult | Exception, bool], None, None]:
    """Find the results of runs, or do the runs; a failure does not stop the others.

    Args:
        runs: resolved.
        store: of the results.
        options: see `RunOptions`.
        note: called with each difference from a stored result or a checkpoint; each line once.
        do: does one run, wherever an executor calls it; picklable.
        executor: does each run separately; None: this process does them.
        on_epoch: called with the number of epochs done and the mean loss; without an executor only.
        on_alone: called with the reason why runs that might train together do not.

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
        outcomes = executor.map(do, [run.spec for run in remaining])
    else:
        begin = partial(RunJob, store=store, options=options, on_epoch=on_epoch, note=note)
        outcomes = _in_this_process(begin, remaining, options.stack, on_alone)
    with determinism(options.deterministic), closing(outcomes):  # workers stop at once if the caller does
        for place, outcome in outcomes:
            yield indices[place], outcome, False


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


def _in_this_process(
    begin: Callable[[Resolved], RunJob], runs: Sequence[Resolved], stack: StackSize, note: OnNote | None
) -> Generator[tuple[int, RunResult | Exception], None, None]:
    """Do runs here; a failure does not stop the others. Yields (place among `runs`, result or error) when a run ends."""
    for places in _batches(runs, stack):
        jobs = {begin(runs[place]): place for place in places}
        for job, outcome in _finish(list(jobs), stack, note):
            yield jobs[job], outcome


def _batches(runs: Sequence[Resolved], stack: StackSize) -> list[list[int]]:
    """Places of runs that are begun together since they may train together; batches are in the order of their first runs.

    Runs 0 and 2 of CoOp and 1 of KgCoOp: `[[0, 2], [1]]`; without stacks `[[0], [1], [2]]`.
    """
    alike: dict[Hashable, list[int]] = {}
    for place, run in enumerate(runs):
        key: Hashable = place if stack in ("off", 1) else _batch_key(run)
        alike.setdefault(key, []).append(place)
    most = max(MOST, stack) if isinstance(stack, int) else MOST
    return [places[i : i + most] for places in alike.values() for i in range(0, len(places), most)]


def _batch_key(run: Resolved) -> Hashable:
    """Equal for runs that may train together."""
    spec, recipe = run.spec, run.training
    training = (recipe.batch_size, recipe.precision, recipe.augmentation)
    return (spec.method.name, spec.protocol, spec.data, spec.backbone, spec.shots, training)


def _finish(jobs: Sequence[RunJob], stack: StackSize, note: OnNote | None) -> Generator[tuple[RunJob, RunResult | Exception], None, None]:
    """Bring runs to their next training, train them in stacks, and so on to their ends. Yields each run with its result or error."""
    unfinished = []
    for job in jobs:
        outcome = _outcome(job.advance) if launch.place()[1] == 1 else _outcome(partial(_finish_shared, job))
        if outcome is None:
            unfinished.append(job)
        else:
            yield job, outcome
    groups = group_jobs([job.job for job in unfinished], stack)
    if note:
        _note_alone([(unfinished[places[0]].spec.method.name, reason) for places, reason in groups if reason], note)
    for places, _ in groups:
        together = [unfinished[place] for place in places]
        errors = _train(together)
        yield from ((job, error) for job, error in zip(together, errors, strict=True) if error)
        yield from _finish([job for job, error in zip(together, errors, strict=True) if not error], stack, note)


def _note_alone(alone: Sequence[tuple[str, str]], note: OnNote) -> None:
    """Say how many runs of a method train alone, and why."""
    for (method, reason), number in Counter(alone).items():
        note(f"{number} {'run' if number == 1 else 'runs'} of {method} trained alone: {reason}")


def _outcome(step: Callable[[], RunResult | None]) -> RunResult | Exception | None:
    try:
        with steady():
            return step()
    except Exception as error:
        return error


def _finish_shared(job: RunJob) -> RunResult:
    """Do all of a run that several processes share; an error in one process ends the run in all."""
    with processes.together(job.accelerator):
        while not (result := job.advance()):
            (error,) = fit_together([job.job], job.accelerator)
            if error:
                raise error
    return result


def _train(jobs: Sequence[RunJob]) -> Sequence[Exception | None]:
    """Train runs together; returns the error of each, or None."""
    for job in jobs:
        job.stacked = max(job.stacked, len(jobs))
    try:
        with steady():
            return fit_together([job.job for job in jobs], jobs[0].accelerator)
    except Exception as error:
        if len(jobs) > 1:
            error.add_note(f"in a stack of {len(jobs)} runs; with stack='off' each trains alone, from its last checkpoint on")
        return [error] * len(jobs)
