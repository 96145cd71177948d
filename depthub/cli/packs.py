"""Runs of one data set together in a process, several data sets at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from depthub.boards.labels import row_label
from depthub.executor import Executor
from depthub.records.store import Store
from depthub.spec import DataSpec, RunSpec
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.records.result import RunResult


class Packs(Executor):
    """Gives another executor whole data sets instead of single runs, so that runs still train together within a process.

    Args:
        executor: the other executor.
        runs: folder of the run files.
    """

    def __init__(self, *, executor: Executor, runs: Path) -> None:
        self.executor, self.runs = executor, runs

    def map(self, do: Callable[[RunSpec], RunResult], specs: Sequence[RunSpec]) -> Generator[tuple[int, RunResult | Exception], None, None]:
        packs = _packs(specs)
        store = Store(self.runs)
        earlier = [store.load(spec) for spec in specs]  # unusable results, which stay until they are replaced
        run_pack = RunPack({specs[places[0]]: [specs[place] for place in places] for places in packs}, self.runs)
        with closing(self.executor.map(run_pack, list(run_pack.packs))) as outcomes:
            for index, outcome in outcomes:
                for place in packs[index]:
                    stored = store.load(specs[place])
                    failed = isinstance(outcome, Exception) and stored == earlier[place]
                    yield place, outcome if failed or stored is None else stored


class RunPack:
    """Runs a whole pack in place of its first run, in any process.

    Args:
        packs: first run to all runs of its pack.
        runs: folder of the run files.
    """

    def __init__(self, packs: Mapping[RunSpec, Sequence[RunSpec]], runs: Path) -> None:
        self.packs, self.runs = packs, runs

    def __call__(self, first: RunSpec) -> RunResult:
        """Run the pack that begins with this run.

        Returns:
            The result of the first run.

        Raises:
            Exception: if runs failed, after all others have ended: the error of the first failure. Each failure is printed on stderr.
        """
        import torch

        from depthub.running.runner import run_many

        def report(place: int, outcome: RunResult | Exception, on_disk: bool) -> None:
            if isinstance(outcome, Exception):
                print(plain(f"depthub: {described(self.packs[first][place])} failed: {outcome}"), file=sys.stderr)

        torch.set_num_threads(1)
        return run_many(self.packs[first], runs=self.runs, on_done=report)[0]


def described(spec: RunSpec) -> str:
    """A run in words, for messages."""
    return plain(f"{row_label(spec.as_dict())} on {spec.data.name}, seed {spec.seed}")


def _packs(specs: Sequence[RunSpec]) -> list[list[int]]:
    """For each data set the places of its runs in `specs`."""
    packs: dict[DataSpec, list[int]] = {}
    for place, spec in enumerate(specs):
        packs.setdefault(spec.data, []).append(place)
    return list(packs.values())
