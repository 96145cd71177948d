"""Processes that share a run: each one's part of the work, and one end for all of them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import timedelta
from itertools import count
from types import TracebackType
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor, distributed
from torch.distributed import distributed_c10d

from depthub.errors import DepthubError
from depthub.system import launch
from depthub.values.text import plain

POLL = 0.5  # seconds between two looks at what the others posted
GRACE = 2.0  # seconds in which a process may come to the failure by itself that another has posted
LIMIT = 8.0  # seconds that a failed process waits for the others to have read why
PAUSE = 0.01  # seconds between two looks while there is nothing else to do
GONE = (RuntimeError, OSError)  # what a store raises that went with the main process
DONE, FAILED, ENDED = "done", "failed", "ended"

T = TypeVar("T")
_numbers = count()  # of the meetings of this process; all processes have the same ones


def together(accelerator: Accelerator) -> AbstractContextManager[object]:
    """Within, a failure of one process ends all of them, each with status 2 for a `DepthubError` and 1 for others and the line
    `depthub: error: rank 1: ...`, also those that wait for the others. Outside nothing ends anything.

    All processes enter and leave alike; leaving waits for the others. If all of them fail, each goes on with its own exception: they agree
    without a word, and may go on to the next run. `StopIteration` is no failure. With one process this does nothing.

    Args:
        accelerator: of the run, whose processes have met.
    """
    return _Meeting(accelerator) if accelerator.num_processes > 1 else nullcontext()


def share(length: int, rank: int, processes: int, unit: int = 1) -> range:
    """A process's contiguous part of `range(length)`; the parts of all ranks, in their order, are the whole.

    Args:
        length: of the whole.
        rank: whose part.
        processes: number of parts; those of the last ranks may be empty.
        unit: parts begin at multiples of this.
    """
    units = -(-length // unit)
    start, end = (-(-units * each // processes) * unit for each in (rank, rank + 1))
    return range(min(start, length), min(end, length))


def gathered(value: T) -> list[T]:
    """What each of the processes that share a run gives here, by rank."""
    number = launch.place()[1]
    if number == 1:
        return [value]
    given: list[Any] = [None] * number
    distributed.all_gather_object(given, value)
    return given


def told(value: T) -> T:
    """What the main process gives here, for all of them."""
    given: list[Any] = [value]
    if launch.place()[1] > 1:
        distributed.broadcast_object_list(given, src=0)
    kept: T = given[0]
    return kept


def add_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace each gradient by its sum over the processes, which backpropagate in step. One that a process lacks counts as zero; one that
    all lack stays away, as in a single process: a head may ignore the text, hence the prompts.
    """
    number = launch.place()[1]
    if number == 1:
        return
    lacking = [p.grad is None for p in parameters]
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch.cat([part.flatten() for part in parts] + [parts[0].new_tensor(lacking)])
    distributed.all_reduce(flat)
    sums, lacked = flat[: -len(parts)], flat[-len(parts) :]
    pieces = torch.split(sums, [part.numel() for part in parts])
    for p, piece, processes in zip(parameters, pieces, lacked.tolist(), strict=True):
        p.grad = None if processes == number else piece.view_as(p).to(p.dtype)


class _Meeting(AbstractContextManager["_Meeting"]):
    """One block that all processes pass through. Each posts how it left; a thread looks meanwhile whether another has failed.

    What is posted lies in the store by which the processes met, and is read over a connection of this meeting's own: the process's own may
    be held by something that waits.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.rank, self.processes, self.accelerator = accelerator.process_index, accelerator.num_processes, accelerator
        self._place = f"depthub/{next(_numbers)}"
        self._store = _connected()
        self._left = threading.Event()  # this process has left the block
        self._watch = threading.Thread(target=self._look, name="depthub-ranks", daemon=True)

    def __enter__(self) -> _Meeting:
        self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        failure = None if isinstance(error, StopIteration | GeneratorExit) else error
        if failure is None:
            failure = self._waited()
        self._left.set()
        self._watch.join()  # if it is about to end the process, it does so here
        if failure is not None:
            self._post_failure(failure)
        outcomes = self._outcomes(DONE if failure is None else FAILED)
        alike = len({*outcomes}) == 1
        status = 0 if alike else self._report(failure, outcomes)
        self._part(outcomes)
        if not alike:
            raise SystemExit(status)
        if failure is not None and failure is not error:
            raise failure

    def _waited(self) -> BaseException | None:
        """Wait for the others; what that failed with, for example because one has gone without a word."""
        try:
            self.accelerator.wait_for_everyone()
        except Exception as error:
            return error
        return None

    def _post_failure(self, error: BaseException) -> None:
        """Say what failed, unless another process has said something already."""
        ended = 128 + getattr(error, "number", signal.SIGINT) if isinstance(error, KeyboardInterrupt) else 1
        status = 2 if isinstance(error, DepthubError) else ended
        said = str(error) if isinstance(error, DepthubError) else f"{type(error).__name__}: {error}"
        with suppress(*GONE):
            self._store.compare_set(self._name("failure"), "", f"{status} rank {self.rank}: {plain(said)}")

    def _outcomes(self, own: str) -> list[str]:
        """How each process left, once all have, or some time after one failed; of those that are not heard of, nothing."""
        names = [self._name(f"left/{rank}") for rank in range(self.processes)]
        try:
            self._store.set(names[self.rank], own)
            self._wait_for(names)
            return [self._store.get(name).decode() if self._store.check([name]) else "" for name in names]
        except GONE:
            return ["" if rank == 0 else own for rank in range(self.processes)]  # the store was the main process's

    def _wait_for(self, names: list[str]) -> None:
        """Until all are posted; not for ever once there is a failure."""
        failed = float("inf")
        while not self._store.check(names) and time.monotonic() - failed < LIMIT:
            if self._store.check([self._name("failure")]):
                failed = min(failed, time.monotonic())
            time.sleep(PAUSE)

    def _part(self, outcomes: list[str]) -> None:
        """Leave last where the store goes with this process, and where launchers end the others as soon as one has ended."""
        names = [self._name(f"parted/{rank}") for rank in range(self.processes)]
        with suppress(*GONE):
            self._store.set(names[self.rank], DONE)
            if self.rank == 0 or len({*outcomes}) > 1:
                end = time.monotonic() + LIMIT
                while all(outcomes) and not self._store.check(names) and time.monotonic() < end:
                    time.sleep(PAUSE)

    def _report(self, failure: BaseException | None, outcomes: list[str]) -> int:
        """Say why the processes end, where the bug is, and who is silent; returns the exit status."""
        if failure is not None and not isinstance(failure, DepthubError | KeyboardInterrupt):
            traceback.print_exception(failure)
        status = _say(self._posted())
        for rank, outcome in enumerate(outcomes):
            if not outcome:
                _say(f"1 rank {rank} ended without a word; its own output may say why")
        return status

    def _look(self) -> None:
        """Until this process leaves the block: end it some time after another has failed."""
        with suppress(*GONE):
            while not self._store.check([self._name("failure")]):
                if self._left.wait(POLL):
                    return
        if not self._left.wait(GRACE):
            status = _say(self._posted())
            self._part(self._outcomes(ENDED))
            os._exit(status)

    def _posted(self) -> str:
        """The first failure: exit status, rank and message."""
        with suppress(*GONE):
            if self._store.check([self._name("failure")]):
                return str(self._store.get(self._name("failure")), "utf-8")
        return f"1 rank {self.rank}: the processes no longer hear of one another"

    def _name(self, what: str) -> str:
        return f"{self._place}/{what}"


def _connected() -> Any:
    """A connection of its own to the store by which the processes met; if that has gone, so has the main process, and this one ends."""
    store: Any = distributed_c10d._get_default_store()
    before = store.timeout
    store.set_timeout(timedelta(seconds=LIMIT))  # which the connection keeps
    try:
        return store.clone()
    except GONE:
        raise SystemExit(_say("1 rank 0 ended without a word; its own output may say why")) from None
    finally:
        store.set_timeout(before)


def _say(posted: str) -> int:
    """Print a failure as the command line does; returns the exit status."""
    status, _, message = posted.partition(" ")
    with suppress(OSError, ValueError):  # the reader has gone
        sys.stdout.flush()
        sys.stderr.write(f"depthub: error: {message}\n")
        sys.stderr.flush()
    return int(status)
