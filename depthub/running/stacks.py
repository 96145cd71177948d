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
        yield from finish([job for job, error in zip(together, errors, strict=True) if not error], stack, note)


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
