"""The cores and the GPUs of this machine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from types import FrameType
from typing import NoReturn

from depthub import DepthubError, Executor, do_pack
from depthub_executors.machine import cores

Ended = tuple[int, Exception | None]

PATIENCE = 60.0  # seconds for a worker to clean up: more than the longest step, also on a busy machine
# A terminal sends these to all processes at once, for Ctrl-C and when it is closed; Windows has the first only.
FROM_TERMINAL = {signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])}
VISIBLE = "CUDA_VISIBLE_DEVICES"


class Local(Executor):
    """Does packs of runs on this machine, several at a time, each in a process of its own.

    Args:
        workers: processes; 0: one per core, or `per_device` per GPU where there are GPUs; 1: this process.
        per_device: processes that share a GPU, as far as its memory allows. Each process sees one GPU.
    """

    def __init__(self, *, workers: int = 0, per_device: int = 1) -> None:
        if workers < 0:
            raise DepthubError(f"workers is {workers}, expected 0 (one per core or GPU) or more")
        if per_device < 1:
            raise DepthubError(f"per_device is {per_device}, expected at least 1")
        self.workers, self.per_device = workers, per_device

    @property
    def slots(self) -> int:  # type: ignore[override]
        """Processes."""
        return self.workers or self.per_device * len(_devices()) or cores()

    def map(self, packs: Sequence[Path]) -> Generator[Ended, None, None]:
        workers = max(1, min(self.slots, len(packs)))
        devices = [device for device in _devices() for _ in range(self.per_device)]
        yield from _here(packs) if workers == 1 else _in_processes(packs, workers, devices)


def _here(packs: Sequence[Path]) -> Generator[Ended, None, None]:
    for index, pack in enumerate(packs):
        error = None
        try:
            do_pack(pack)
        except Exception as failure:  # of this pack; the others go on
            error = failure
        yield index, error


def _in_processes(packs: Sequence[Path], workers: int, devices: Sequence[str]) -> Generator[Ended, None, None]:
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # not fork: torch and CUDA do not work in forked processes
    # The first block is for the process that tracks semaphores. Starting it unblocks Ctrl-C again, so the workers need a second block.
    with _interrupts_blocked():
        free = context.SimpleQueue()  # each worker takes one
        for number in range(workers if devices else 0):
            free.put(devices[number % len(devices)])
        pool = ProcessPoolExecutor(workers, context, _prepare, (max(1, cores() // workers), free if devices else None))
    try:
        with _interrupts_blocked():
            futures = {pool.submit(_do_or_exit, pack): index for index, pack in enumerate(packs)}
        for future in as_completed(futures):
            yield futures[future], _error(future)
    except BaseException:  # Ctrl-C, or the caller stopped listening
        pool.shutdown(wait=False, cancel_futures=True)
        _stop(set(multiprocessing.active_children()) - before)
        raise
    pool.shutdown()


def _devices() -> list[str]:
    """The GPUs of this machine as `CUDA_VISIBLE_DEVICES` names them; all that this process may use."""
    import torch

    number = torch.cuda.device_count()
    named = [name for name in os.environ.get(VISIBLE, "").split(",") if name]
    return named[:number] or [str(index) for index in range(number)]


def _error(future: Future[None]) -> Exception | None:
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        return DepthubError(
            "a worker process died; if no reason is shown above, memory ran out: use fewer workers and start again, finished runs are kept"
        )
    return error if error is None or isinstance(error, Exception) else DepthubError(f"the pack ended with {error!r}")


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block the terminal's signals. Processes started meanwhile never get them, so that the parent alone decides how to stop."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, FROM_TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _stop(workers: set[multiprocessing.process.BaseProcess]) -> None:
    """End the workers: first with SIGTERM, so that they remove their temporary files, then with SIGKILL."""
    for worker in workers:
        worker.terminate()
    end = time.monotonic() + PATIENCE
    for worker in workers:
        worker.join(max(0.0, end - time.monotonic()))
        if worker.is_alive():
            worker.kill()
            worker.join()


# The following runs in the workers.


class _Stopped(BaseException):
    """The parent stops the pack; not an `Exception`, so that no `except Exception` of a run catches it."""


def _prepare(threads: int, free: SimpleQueue[str] | None) -> None:
    for number in FROM_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # from the parent, also if that ignores SIGTERM itself
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # torch reads them when it is loaded, usually later
        os.environ[name] = str(threads)
    if free is not None:
        os.environ[VISIBLE] = free.get()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this worker when the parent is gone: a parent that was killed cannot end its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)
        os._exit(1)


def _do_or_exit(pack: Path) -> None:
    try:
        _do_until_stopped(pack)
    except _Stopped:
        # the pool would count this as a failure of the pack, and go on with the next one
        os._exit(1)


def _do_until_stopped(pack: Path) -> None:
    previous = signal.signal(signal.SIGTERM, _raise_stopped)
    try:
        do_pack(pack)
    except Exception as error:
        raise _portable(error) from None
    finally:
        signal.signal(signal.SIGTERM, previous)


def _raise_stopped(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one, as of a group and then of the parent, would cut off the clean-up
    raise _Stopped


def _portable(error: Exception) -> Exception:
    """The error, or a plain one with its message if it cannot be pickled: that would break the whole pool."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return DepthubError(str(error)) if isinstance(error, DepthubError) else RuntimeError(f"{type(error).__name__}: {error}")
    return error
