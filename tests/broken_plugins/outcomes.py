"""An error that ends all runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from depthub import Executor, RunResult, RunSpec


class Fragile(Executor):
    """One run after the other, up to the first that fails."""

    def map(self, do: Callable[[RunSpec], RunResult], specs: Sequence[RunSpec]) -> Generator[tuple[int, RunResult | Exception], None, None]:
        for index, spec in enumerate(specs):
            yield index, do(spec)
