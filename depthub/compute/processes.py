"""Processes that share a run: each one's part of the work, and a common end."""

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

POLL = 0.5  # seconds between two looks for failures that others posted
GRACE = 2.0  # seconds in which a process may itself run into the failure that another has posted
LIMIT = 8.0  # seconds that a failed process waits until the others have read the reason
PAUSE = 0.01  # seconds between two looks while there is nothing else to do
GONE = (RuntimeError, OSError)  # errors of a store that ended with the main process
DONE, FAILED, ENDED = "done", "failed", "ended"

T = TypeVar("T")
_numbers = count()  # of this process's meetings; all processes count alike


def together(accelerator: Accelerator) -> AbstractContextManager[object]:
    """A block in which the failure of one process ends all of them, even those that wait for others: each with the line
    `depthub: error: rank 1: ...` and status 2 for a `DepthubError`, 1 for other errors.

    All processes enter and leave it; leaving waits for the others. If all of them fail, each goes on with its own exception, and all may
    go on to the next run. `StopIteration` is not a failure. With one process this does nothing.

    Args:
        accelerator: of the run, whose processes have met.
    """
    return _Meeting(accelerator) if accelerator.num_processes > 1 else nullcontext()


def share(length: int, rank: int, processes: int, unit: int = 1) -> range:
    """A process's contiguous part of `range(length)`; the parts of all ranks, in their order, are the whole.

    Args:
        length: of the whole.
        rank: of the process.
        processes: number of parts; the parts of the last ranks may be empty.
        unit: parts begin at multiples of this.
    """
    units = -(-length // unit)
    start, end = (-(-units * each // processes) * unit for each in (rank, rank + 1))
    return range(min(start, length), min(end, length))


def gathered(value: T) -> list[T]:
    """The values of all processes that share a run, by rank; each calls this with its own."""
    number = launch.place()[1]
    if number == 1:
        return [value]
    values: list[Any] = [None] * number
    distributed.all_gather_object(values, value)
    return values


def elementwise_max(value: Tensor) -> Tensor:
    """The largest of all processes that share a run, entry by entry; each calls this with its own tensor of the same shape."""
    return torch.stack([other.to(value.device) for other in gathered(value)]).amax(dim=0)


def broadcast(value: T) -> T:
    """The main process's value, for all of them; the values of the others are ignored."""
    values: list[T] = [value]
    if launch.place()[1] > 1:
        distributed.broadcast_object_list(values, src=0)
    return values[0]


def add_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace each gradient by its sum over the processes, which backpropagate in step. A gradient that is missing in one process counts
    as zero; one that is missing in all stays missing, as in a single process: a head may ignore the text, hence the prompts.
    """
    number = launch.place()[1]
    if number == 1:
        return
    missing = [p.grad is None for p in parameters]
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch.cat([part.flatten() for part in parts] + [parts[0].new_tensor(missing)])
    distributed.all_reduce(flat)
    sums, missing_in = flat[: -len(parts)], flat[-len(parts) :]  # the last are numbers of processes
    pieces = torch.split(sums, [part.numel() for part in parts])
    for p, piece, processes in zip(parameters, pieces, missing_in.tolist(), strict=True):
        p.grad = None if processes == number else piece.view_as(p).to(p.dtype)


class _Meeting(AbstractContextManager["_Meeting"]):
    """One block that all processes pass through. Each posts its outcome; meanwhile a thread looks for failures of others.

    The posts lie in the store by which the processes met. They are read over a separate connection: the process's first one may be blocked
    by a call that waits.
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
        """Wait for the others; returns the error of waiting, if any, for example because one has ended silently."""
        try:
            self.accelerator.wait_for_everyone()
        except Exception as error:
            return error
        return None

    def _post_failure(self, error: BaseException) -> None:
        """Post a failure, unless another process has posted one already."""
        interrupted = 128 + getattr(error, "number", signal.SIGINT) if isinstance(error, KeyboardInterrupt) else 1
        status = 2 if isinstance(error, DepthubError) else interrupted
        message = str(error) if isinstance(error, DepthubError) else f"{type(error).__name__}: {error}"
        with suppress(*GONE):
            self._store.compare_set(self._name("failure"), "", f"{status} rank {self.rank}: {plain(message)}")

    def _outcomes(self, outcome: str) -> list[str]:
        """Post this process's outcome; the outcomes by rank, once all are posted or some time after a failure, empty for silent ranks."""
        names = [self._name(f"left/{rank}") for rank in range(self.processes)]
        try:
            self._store.set(names[self.rank], outcome)
            self._wait_for(names)
            return [self._store.get(name).decode() if self._store.check([name]) else "" for name in names]
        except GONE:
            return ["" if rank == 0 else outcome for rank in range(self.processes)]  # the store was the main process's

    def _wait_for(self, names: list[str]) -> None:
        """Wait until all are posted; after a failure for `LIMIT` seconds only."""
        failed = float("inf")
        while not self._store.check(names) and time.monotonic() - failed < LIMIT:
            if self._store.check([self._name("failure")]):
                failed = min(failed, time.monotonic())
            time.sleep(PAUSE)

    def _part(self, outcomes: list[str]) -> None:
        """Leave last if the store ends with this process, and if launchers end the others as soon as one has ended."""
        names = [self._name(f"parted/{rank}") for rank in range(self.processes)]
        with suppress(*GONE):
            self._store.set(names[self.rank], DONE)
            if self.rank == 0 or len({*outcomes}) > 1:
                end = time.monotonic() + LIMIT
                while all(outcomes) and not self._store.check(names) and time.monotonic() < end:
                    time.sleep(PAUSE)

    def _report(self, failure: BaseException | None, outcomes: list[str]) -> int:
        """Print the failure, a bug's traceback, and the silent ranks; returns the exit status."""
        if failure is not None and not isinstance(failure, DepthubError | KeyboardInterrupt):
            traceback.print_exception(failure)
        status = _say(self._posted())
        for rank, outcome in enumerate(outcomes):
            if not outcome:
                _say(f"1 rank {rank} ended silently; its own output may give the reason")
        return status

    def _look(self) -> None:
        """Until this process leaves the block: end the process some time after another has failed."""
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
        return f"1 rank {self.rank}: the processes have lost their connection"

    def _name(self, what: str) -> str:
        return f"{self._place}/{what}"


def _connected() -> Any:
    """A separate connection to the store by which the processes met; the store ends with the main process, and then so does this one."""
    store: Any = distributed_c10d._get_default_store()
    before = store.timeout
    store.set_timeout(timedelta(seconds=LIMIT))  # the new connection takes it over
    try:
        return store.clone()
    except GONE:
        raise SystemExit(_say("1 rank 0 ended silently; its own output may give the reason")) from None
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
