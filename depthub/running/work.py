"""Work on runs in this process, beside other processes that work on the same store."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from depthub.errors import DepthubError
from depthub.records import failures
from depthub.records.failures import Failure, fingerprint
from depthub.running.batches import batches
from depthub.running.claims import PAUSE, BusyError, Claims
from depthub.running.stacks import finish
from depthub.system import launch
from depthub.system.activity import tell

if TYPE_CHECKING:
    from depthub.records.result import RunResult
    from depthub.running.options import OnNote, RunOptions
    from depthub.running.resolved import Resolved
    from depthub.running.run_job import RunJob

Event = tuple[int, "RunResult | Exception", bool]  # (index of a run, result or error, found_on_disk)


@dataclass(frozen=True)
class Work:
    """How runs are done in this process.

    Args:
        begin: makes a job of a run.
        find: looks for a run's result, which another process may have stored meanwhile; None: results are computed anew.
        claims: on the runs.
        options: of the runs.
        note: called with the reason why runs that might train together do not.
        in_pack: whether an executor has them done: the runs of other processes are then left to its caller, and every failure is recorded
            for it. Otherwise they are waited for, and mistakes that end a run before its first epoch are nowhere but in its error.
    """

    begin: Callable[[Resolved], RunJob]
    find: Callable[[Resolved], RunResult | Exception | None] | None
    claims: Claims
    options: RunOptions
    note: OnNote | None
    in_pack: bool

    def carry_out(self, runs: Sequence[Resolved]) -> Generator[Event, None, None]:
        """Do runs; a failure does not stop the others.

        Args:
            runs: resolved.

        Yields:
            (place among `runs`, result or error, found_on_disk) when a run ends.
        """
        waiting = list(range(len(runs)))
        while waiting:
            busy: list[int] = []
            for batch in batches([runs[place] for place in waiting], self.options.stack):
                yield from self._claimed({waiting[i]: runs[waiting[i]] for i in batch}, busy)
            if self.in_pack:
                yield from ((place, BusyError(f"another process does run {runs[place].spec.run_id[:12]}"), False) for place in busy)
                return
            if len(busy) == len(waiting):
                tell("waiting for runs that other processes do:", 0, len(busy))
                time.sleep(PAUSE)
            waiting = busy

    def _claimed(self, runs: Mapping[int, Resolved], busy: list[int]) -> Generator[Event, None, None]:
        """Do those runs of a batch that no other process does; the places of the others are added to `busy`."""
        with ExitStack() as stack:
            try:
                claimed = stack.enter_context(self.claims.on([run.spec.run_id for run in runs.values()]))
            except DepthubError as error:  # the store takes nothing
                yield from ((place, error, False) for place in runs)
                return
            free = {place: run for place, run in runs.items() if run.spec.run_id in claimed}
            busy += [place for place in runs if place not in free]
            yield from self._batch(free)

    def _batch(self, runs: Mapping[int, Resolved]) -> Generator[Event, None, None]:
        """Find or do the runs of a batch together."""
        jobs = {}
        for place, run in runs.items():
            outcome = self.find(run) if self.find else None
            if outcome is None:
                jobs[self.begin(run)] = place
            else:
                yield place, outcome, not isinstance(outcome, Exception)
        for job in jobs:
            failures.clear(job.folder)
        for job, ended in finish(list(jobs), self.options.stack, self.note):
            if isinstance(ended, Exception) and launch.is_main() and (self.in_pack or job.folder.exists()):
                failures.write(job.folder, Failure.of(job.spec, ended, fingerprint(job.resolved.inputs(""))))
            yield jobs[job], ended, False
