"""Claims: of several processes that share a store, one does each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from depthub.errors import DepthubError
from depthub.system import launch
from depthub.system.leases import Lease, Leases

FOLDER = ".leases"  # in the folder of runs
PAUSE = 1.0  # seconds between two looks at the runs of other processes


class BusyError(DepthubError):
    """Another process does the run."""


class Claims:
    """Claims on the runs of a store, each a lease on the run's id: it ends when its process ends.

    Args:
        root: of the store.
    """

    def __init__(self, root: Path) -> None:
        self._leases = Leases(root / FOLDER)

    @contextmanager
    def on(self, run_ids: Sequence[str]) -> Iterator[set[str]]:
        """The claims that this process could get, as ids of runs; kept during the block.

        Processes that share each run (`depthub launch`) make no claims: one launch works in a store at a time.

        Args:
            run_ids: of the wanted runs.

        Raises:
            DepthubError: if the store cannot be written.
        """
        if launch.place()[1] > 1:
            yield set(run_ids)
            return
        leases = self._take(run_ids)
        with self._leases.kept(*leases):
            yield {lease.name for lease in leases}

    def active(self) -> set[str]:
        """Ids of the runs that processes do now."""
        return {run_id for run_id, is_lost in self._leases.names().items() if not is_lost}

    def remove_lost(self) -> int:
        """Remove the claims of processes that have ended; returns their number."""
        return self._leases.remove_lost()

    def _take(self, run_ids: Sequence[str]) -> list[Lease]:
        leases: list[Lease] = []
        try:
            for run_id in run_ids:
                if lease := self._leases.take(run_id):
                    leases.append(lease)
        except DepthubError:
            for lease in leases:
                lease.release()
            raise
        return leases
