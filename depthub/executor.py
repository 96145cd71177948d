"""What an executor is: the place where runs go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from depthub.spec import RunSpec
    from depthub.store import RunResult


class Executor(ABC):
    """Carries out runs. Its constructor's keywords are its settings."""

    @abstractmethod
    def map(self, do: Callable[[RunSpec], RunResult], specs: Sequence[RunSpec]) -> Generator[tuple[int, RunResult | Exception], None, None]:
        """Call `do` for each spec and yield (its index, its outcome) as each ends; closing the generator stops what still runs.

        Args:
            do: picklable; does one run and stores it.
            specs: the runs.
        """
