"""Tasks of a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from depthub import DepthubError, Executor, do_pack
from depthub_executors.machine import cores

Ended = tuple[int, Exception | None]
ENDING = 60.0  # seconds for cancelled tasks to end


class Ray(Executor):
    """Does packs of runs as tasks of a Ray cluster; a task whose node is lost is done again on another one.

    Needs `pip install "depthub[ray]"`, and a folder of runs that all nodes reach by the same path.

    Args:
        address: of the cluster; empty: `RAY_ADDRESS`, or this machine.
        cpus: of a task.
        gpus: of a task; 0.5 for two tasks on each GPU.
        retries: of a task whose node or process is lost.
    """

    def __init__(self, *, address: str = "", cpus: int = 1, gpus: float = 0.0, retries: int = 3) -> None:
        if cpus < 1 or gpus < 0 or retries < 0:
            raise DepthubError(f"cpus, gpus and retries are {cpus}, {gpus} and {retries}, expected at least 1, 0 and 0")
        self.address, self.cpus, self.gpus, self.retries = address, cpus, gpus, retries

    @property
    def slots(self) -> int:  # type: ignore[override]
        """Tasks that fit on this machine's cores; 0 for a cluster, whose cores are unknown before it is connected."""
        return 0 if self.address or os.environ.get("RAY_ADDRESS") else max(1, cores() // self.cpus)

    def missing(self) -> str:
        return "" if find_spec("ray") else 'the executor Ray needs ray; python -m pip install "depthub[ray]"'

    def map(self, packs: Sequence[Path]) -> Generator[Ended, None, None]:
        import ray

        with _cluster(self.address):
            do = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=self.retries)(_do)
            tasks = {do.remote(pack): index for index, pack in enumerate(packs)}
            try:
                while tasks:
                    (task,), _ = ray.wait(list(tasks), num_returns=1)
                    yield tasks.pop(task), _error(task)
            finally:
                for task in tasks:
                    ray.cancel(task, force=True)
                if tasks:
                    ray.wait(list(tasks), num_returns=len(tasks), timeout=ENDING)


@contextmanager
def _cluster(address: str) -> Iterator[None]:
    """A connection to a cluster during the block; one that this process has already stays."""
    import ray

    if ray.is_initialized():
        yield
        return
    try:
        ray.init(address=address or None, include_dashboard=None if address else False, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError) as error:
        raise DepthubError(f"no Ray cluster at {address or 'RAY_ADDRESS'}: {' '.join(str(error).split())[:200]}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _error(task: Any) -> Exception | None:
    """The error of a task that has ended; None if its pack was carried out."""
    import ray

    try:
        line = ray.get(task)
    except ray.exceptions.RayTaskError as error:  # of the pack
        return error.cause if isinstance(error.cause, Exception) else error
    except ray.exceptions.RayError as error:
        return DepthubError(f"Ray lost the pack: {' '.join(str(error).split())[:300]}")
    return DepthubError(line) if line else None


# The following runs in Ray's workers.


def _do(pack: Path) -> str:
    """Carry a pack out; the message of a user's mistake, or nothing."""
    try:
        do_pack(pack)
    except DepthubError as error:
        return str(error)
    return ""
