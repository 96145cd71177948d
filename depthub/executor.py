"""Executors: they decide where and when runs are done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from depthub.records.store import RunResult
    from depthub.spec import RunSpec


class Executor(ABC):
    """Does runs in processes of this machine, on a cluster or in this process. It decides where and when they are done, never what is done.

    A subclass is named by its class's name. Its constructor's keywords are its settings, each with a type and a default that JSON can hold,
    documented under `Args:` of the class. It does not affect results: they do not record their executor.
    """

    @abstractmethod
    def map(self, do: Callable[[RunSpec], RunResult], specs: Sequence[RunSpec]) -> Generator[tuple[int, RunResult | Exception], None, None]:
        """Call `do` once for each spec and yield (index, outcome) when a run ends, in any order.

        An exception of `do` is the outcome of its run, not a failure of the executor: the other runs go on. Closing the generator stops the
        unfinished runs; processes of the executor must not outlive this one. `do` stores each result as a file, so other machines need the
        same folder.

        Args:
            do: does one run, stores its result and returns it. It is picklable, unless the runs need something that only this session has
                (`depthub.register`): then pickling it raises a `DepthubError`, which is their outcome.
            specs: the N runs, picklable, complete and different from each other; none of them is done yet.

        Yields:
            (i, outcome): i from 0 to N - 1, each once; the result that `do` returned, or the exception that it raised.
        """
