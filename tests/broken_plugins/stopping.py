"""Runs that nobody waits for any more."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from queue import Queue
from threading import Thread

from depthub import Executor, RunResult, RunSpec

Outcome = tuple[int, RunResult | Exception]


class Diligent(Executor):
    """One run after the other in a thread, which nothing ends."""

    def map(self, do: Callable[[RunSpec], RunResult], specs: Sequence[RunSpec]) -> Generator[Outcome, None, None]:
        ended: Queue[Outcome] = Queue()

        def work() -> None:
            for index, spec in enumerate(specs):
                try:
                    ended.put((index, do(spec)))
                except Exception as error:
                    ended.put((index, error))

        Thread(target=work, daemon=True).start()
        for _ in specs:
            yield ended.get()
