"""Jobs of a Slurm cluster, through submitit."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from depthub import DepthubError, Executor, do_pack

if TYPE_CHECKING:
    from submitit import AutoExecutor, Job
    from submitit.helpers import DelayedSubmission

Ended = tuple[int, Exception | None]

LOGS = ".executors"  # in the folder of runs; `depthub runs gc` removes them
ARRAY = 1000  # jobs in an array: Slurm's own limit, unless a cluster raises it
LOOK = 2.0  # seconds between two looks at the queue
LOOKS = 3  # without the job and without its outcome, after which it is lost: a shared disk shows files late
ENDING = 60.0  # seconds for cancelled jobs to leave the queue
SHORT = 10.0  # seconds for Slurm to answer at all
TAIL = 20  # lines of a job's log in the error of its pack
TIME_OUTS = 1000  # after each a job goes on where it was


class Slurm(Executor):
    """Does packs of runs as jobs of a Slurm cluster: one job array, a job for each pack.

    A job that reaches its time limit, or is preempted, is requeued and goes on with the last epoch of its runs. A job that ends in another
    way, with its node or by `scancel`, is submitted again. Needs `pip install "depthub[slurm]"`, and a folder of runs that all nodes
    reach by the same path.

    Args:
        partition: of the jobs; empty: the cluster's default.
        minutes: time limit of a job.
        cpus: of a job.
        memory_gb: of a job.
        gpus: of a job.
        max_jobs: that run at a time; 0: as many as the cluster allows.
        retries: how often a lost job is submitted again.
        setup: a shell command before each job, such as `module load cuda`.
        sbatch: further options of sbatch, such as `--account=vision --constraint=a100`.
    """

    def __init__(
        self,
        *,
        partition: str = "",
        minutes: int = 240,
        cpus: int = 4,
        memory_gb: float = 16.0,
        gpus: int = 0,
        max_jobs: int = 0,
        retries: int = 3,
        setup: str = "",
        sbatch: str = "",
    ) -> None:
        for name, value, least in (("minutes", minutes, 1), ("cpus", cpus, 1), ("gpus", gpus, 0), ("max_jobs", max_jobs, 0)):
            if value < least:
                raise DepthubError(f"{name} is {value}, expected at least {least}")
        self.slots, self.retries = max_jobs, retries
        self._parameters: dict[str, Any] = {
            "timeout_min": minutes,
            "cpus_per_task": cpus,
            "mem_gb": memory_gb,
            "slurm_array_parallelism": max_jobs or ARRAY,
            "slurm_setup": [f"export OMP_NUM_THREADS={cpus}", *([setup] if setup else [])],
            "slurm_additional_parameters": _options(sbatch),
            **({"gpus_per_node": gpus} if gpus else {}),
            **({"slurm_partition": partition} if partition else {}),
        }

    def missing(self) -> str:
        if find_spec("submitit") is None:
            return 'the executor Slurm needs submitit; python -m pip install "depthub[slurm]"'
        if shutil.which("sbatch") is None:
            return "the executor Slurm needs sbatch, which is not on this machine; work on a login node of the cluster"
        return (
            "" if _queue("depthub", SHORT) is not None else "Slurm does not answer squeue; ask its administrator, or work on a login node"
        )

    def map(self, packs: Sequence[Path]) -> Generator[Ended, None, None]:
        name = f"depthub-{uuid4().hex[:12]}"  # of the jobs, which are known by it
        try:
            if packs:
                yield from self._watched(self._executor(name, packs[0]), name, packs)
        finally:
            _cancel(name)

    def _executor(self, name: str, pack: Path) -> AutoExecutor:
        from submitit import AutoExecutor

        logs = Path(json.loads(pack.read_bytes())["store"]) / LOGS / name
        executor = AutoExecutor(logs, cluster="slurm", slurm_max_num_timeout=TIME_OUTS)
        executor.update_parameters(name=name, **self._parameters)
        return executor

    def _watched(self, executor: AutoExecutor, name: str, packs: Sequence[Path]) -> Generator[Ended, None, None]:
        """Submit the packs, and look after their jobs."""
        jobs: dict[int, Job[str]] = {}
        for start in range(0, len(packs), ARRAY):
            jobs.update(enumerate(executor.submit_array([_Pack(pack) for pack in packs[start : start + ARRAY]]), start))
        absences, losses = Counter[int](), Counter[int]()
        while jobs:
            time.sleep(LOOK)
            queue = _queue(name)
            for index, job in list(jobs.items()):
                if _has_outcome(job):
                    yield index, _error(jobs.pop(index))
                    continue
                absences[index] += queue is not None and job.job_id not in queue
                if absences[index] >= LOOKS:
                    losses[index] += 1
                    absences[index] = 0
                    if losses[index] > self.retries:
                        yield index, _lost(jobs.pop(index), self.retries)
                    else:
                        jobs[index] = executor.submit(_Pack(packs[index]))


def _options(sbatch: str) -> dict[str, str | bool]:
    """Further options of sbatch, as submitit takes them.

    Raises:
        DepthubError: for anything but long options with `=`.
    """
    words = shlex.split(sbatch)
    if wrong := [word for word in words if not word.startswith("--")]:
        raise DepthubError(f"sbatch has {wrong[0]!r}, expected long options such as '--account=vision --exclusive'")
    pairs = [word[2:].partition("=") for word in words]
    return {option: value if sign else True for option, sign, value in pairs}


def _queue(name: str, seconds: float = ENDING) -> set[str] | None:
    """Ids of the jobs of a name that wait or run, in submitit's form; None if Slurm does not answer in so many seconds."""
    command = ["squeue", "--noheader", "--array", f"--name={name}", "--format=%F %K"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    ids = [line.split() for line in lines]
    return {job if index == "N/A" else f"{job}_{index}" for job, index in ids}


def _has_outcome(job: Job[str]) -> bool:
    folder = job.paths.folder
    with suppress(OSError):  # a change of its mode makes a network disk look again
        folder.chmod(folder.stat().st_mode)
    return bool(job.paths.result_pickle.exists())


def _error(job: Job[str]) -> Exception | None:
    """The error of a job that has ended; None if its pack was carried out."""
    if failure := job.exception():
        return RuntimeError(str(failure))
    line = job.result()
    return DepthubError(line) if line else None


def _lost(job: Job[str], retries: int) -> DepthubError:
    log = (job.stderr() or job.stdout() or "no log").strip().splitlines()
    tail = "\n".join(log[-TAIL:])
    return DepthubError(f"job {job.job_id} ended without an outcome, {retries + 1} times; the end of its log {job.paths.stderr}:\n{tail}")


def _cancel(name: str) -> None:
    """Cancel the jobs of a name, and wait until they have left the queue."""
    end = time.monotonic() + ENDING
    while _queue(name) != set() and time.monotonic() < end:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["scancel", f"--name={name}"], capture_output=True, timeout=60, check=False)
        time.sleep(LOOK / 4)


# The following runs in the jobs.


class _Pack:
    """A pack as submitit's work, which goes on where it was when its job is requeued.

    Args:
        path: its file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> str:
        """Carry the pack out; the message of a user's mistake, or nothing."""
        try:
            do_pack(self.path)
        except DepthubError as error:
            return str(error)
        return ""

    def checkpoint(self) -> DelayedSubmission:
        """The same work again, which submitit asks for at a time limit and on preemption."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(_Pack(self.path))
