"""An executor for the cores of this machine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from depthub import DepthubError, Executor, RunResult, RunSpec, hookimpl

Do = Callable[[RunSpec], RunResult]
Outcome = tuple[int, RunResult | Exception]

PATIENCE = 60.0  # seconds for a worker to clean up: more than the longest step, also on a busy machine
# A terminal sends these to all processes at once, for Ctrl-C and when it is closed; Windows has the first only.
FROM_TERMINAL = {signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])}


class Local(Executor):
    """Does runs on this machine, several at a time, each in a process of its own.

    Args:
        workers: runs at a time; 0: one per core; 1: one after another, in this process.
    """

    def __init__(self, *, workers: int = 0) -> None:
        if workers < 0:
            raise DepthubError(f"workers is {workers}, expected 0 (one per core) or more")
        self.workers = workers

    def map(self, do: Do, specs: Sequence[RunSpec]) -> Generator[Outcome, None, None]:
        workers = max(1, min(self.workers or _cores(), len(specs)))
        yield from _here(do, specs) if workers == 1 else _in_processes(do, specs, workers)


def _here(do: Do, specs: Sequence[RunSpec]) -> Generator[Outcome, None, None]:
    for index, spec in enumerate(specs):
        try:
            outcome: RunResult | Exception = do(spec)
        except Exception as error:  # the outcome of this run; the others go on
            outcome = error
        yield index, outcome


def _in_processes(do: Do, specs: Sequence[RunSpec], workers: int) -> Generator[Outcome, None, None]:
    before = set(multiprocessing.active_children())
    # The first block is for the process that tracks semaphores. Starting it unblocks Ctrl-C again, so the workers need a second block.
    with _interrupts_blocked():
        # not fork: torch and CUDA do not work in forked processes
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _prepare, (max(1, _cores() // workers),))
    try:
        with _interrupts_blocked():
            futures = {pool.submit(_do_or_exit, do, spec): index for index, spec in enumerate(specs)}
        for future in as_completed(futures):
            yield futures[future], _outcome(future)
    except BaseException:  # Ctrl-C, or the caller stopped listening
        pool.shutdown(wait=False, cancel_futures=True)
        _stop(set(multiprocessing.active_children()) - before)
        raise
    pool.shutdown()


def _outcome(future: Future[RunResult]) -> RunResult | Exception:
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        return DepthubError(
            "a worker process died; if no reason is shown above, memory ran out: use fewer workers and start again, finished runs are kept"
        )
    if error is None:
        return future.result()
    return error if isinstance(error, Exception) else DepthubError(f"the run ended with {error!r}")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    """The parent stops the run; not an `Exception`, so that no `except Exception` of a run catches it."""


def _prepare(threads: int) -> None:
    for number in FROM_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # from the parent, also if that ignores SIGTERM itself
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # torch reads them when it is loaded, usually later
        os.environ[name] = str(threads)
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


def _do_or_exit(do: Do, spec: RunSpec) -> RunResult:
    try:
        return _do_until_stopped(do, spec)
    except _Stopped:
        # the pool would count this as a failure of the run, and go on with the next run
        os._exit(1)


def _do_until_stopped(do: Do, spec: RunSpec) -> RunResult:
    previous = signal.signal(signal.SIGTERM, _raise_stopped)
    try:
        return do(spec)
    except Exception as error:
        raise _portable(error) from None
    finally:
        signal.signal(signal.SIGTERM, previous)


def _raise_stopped(number: int, frame: FrameType | None) -> NoReturn:
    raise _Stopped


def _portable(error: Exception) -> Exception:
    """The error, or a plain one with its message if it cannot be pickled: that would break the whole pool."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return DepthubError(str(error)) if isinstance(error, DepthubError) else RuntimeError(f"{type(error).__name__}: {error}")
    return error


@hookimpl
def depthub_executors() -> list[type[Executor]]:
    return [Local]
