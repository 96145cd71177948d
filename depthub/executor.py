"""What an executor is: the place where runs go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from depthub.records.store import RunResult
    from depthub.spec import RunSpec


class Executor(ABC):
    """Carries out runs where it likes: in processes of this machine, on a cluster, here. It decides where and when, never what.

    A subclass is named by its class's name. Its constructor's keywords are its settings, each with a type and a default that JSON has,
    documented under `Args:` of the class. It changes no number: results do not say which executor they come from.
    """

    @abstractmethod
    def map(self, do: Callable[[RunSpec], RunResult], specs: Sequence[RunSpec]) -> Generator[tuple[int, RunResult | Exception], None, None]:
        """Call `do` once for each spec and yield (its index, its outcome) as each ends, in any order.

        What `do` raises is that run's outcome, not the executor's failure: the other runs go on. Closing the generator stops what still
        runs; processes that were started must not outlive this one. `do` stores each result as a file, hence other machines need the same
        folder.

        Args:
            do: does one run, stores it and gives its result. It is picklable, unless the runs use what this session alone has
                (`depthub.register`): then pickling it raises a `DepthubError`, which is their outcome.
            specs: the N runs, picklable, complete and different from each other; none of them is done yet.

        Yields:
            (i, outcome): i from 0 to N - 1, each once; the result that `do` gave, or the exception that it raised.
        """
