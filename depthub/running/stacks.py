"""Jobs to their ends: runs that may train together are trained as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from depthub.compute import processes
from depthub.compute.numerics import steady
from depthub.system import launch
from depthub.training.grouping import group_jobs
from depthub.training.loop import fit_together

if TYPE_CHECKING:
    from depthub.records.result import RunResult
    from depthub.running.options import OnNote, StackSize
    from depthub.running.run_job import RunJob


def finish(jobs: Sequence[RunJob], stack: StackSize, note: OnNote | None) -> Generator[tuple[RunJob, RunResult | Exception], None, None]:
    """Bring runs to their next training, train them in stacks, and so on to their ends. Yields each run with its result or error."""
    going = list(jobs)
    waiting: list[list[RunJob]] = []  # stacks that are ready to train; one is brought to its end before the next trains
    while going or waiting:
        unfinished = yield from _advance(going)
        waiting = [*_stacks(unfinished, stack, note), *waiting]
        together = waiting.pop(0) if waiting else []
        errors = _train(together) if together else []
        yield from ((job, error) for job, error in zip(together, errors, strict=True) if error)
        going = [job for job, error in zip(together, errors, strict=True) if not error]


def _advance(jobs: Sequence[RunJob]) -> Generator[tuple[RunJob, RunResult | Exception], None, list[RunJob]]:
    """Bring runs to their next training; yields those that have ended, and returns the others."""
    unfinished = []
    for job in jobs:
        outcome = _outcome(job.advance) if launch.place()[1] == 1 else _outcome(partial(_finish_shared, job))
        if outcome is None:
            unfinished.append(job)
        else:
            yield job, outcome
    return unfinished


def _stacks(jobs: Sequence[RunJob], stack: StackSize, note: OnNote | None) -> list[list[RunJob]]:
    """The runs that train together; of those that begin a training, it is noted why they train alone."""
    groups = group_jobs([job.job for job in jobs], stack)
    alone = [(jobs[places[0]], reason) for places, reason in groups if reason]
    if note:
        _note_alone([(job.spec.method.name, reason) for job, reason in alone if not job.job.epochs], note)
    return [[jobs[place] for place in places] for places, _ in groups]


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
