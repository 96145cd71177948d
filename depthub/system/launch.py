"""How this process was started: alone, or as one of several that share a run. The environment says so; torch is not imported."""

from __future__ import annotations

import os
import sys

from depthub.errors import DepthubError

COMMAND = "depthub launch -n {number} run ..."
NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# Launchers of several tasks, by the variable that holds their number. None of them gives the address at which the tasks could meet.
TASKS = {
    "SLURM_STEP_NUM_TASKS": "srun",
    "OMPI_COMM_WORLD_SIZE": "mpirun",
    "PMI_SIZE": "mpiexec",
    "MV2_COMM_WORLD_SIZE": "mpirun",
    "PALS_SIZE": "mpiexec",
    "JSM_NAMESPACE_SIZE": "jsrun",
}


def is_main() -> bool:
    """Whether this process writes for all that share a run: the only one, or the first; also in a launch that `place` refuses."""
    try:
        return place()[0] == 0
    except DepthubError:
        return True


def place() -> tuple[int, int]:
    """This process's rank and the number of processes that share a run: (0, 1) for a process that is alone.

    Raises:
        DepthubError: for variables that are missing or contradict each other, and for tasks that would each do the whole run.
    """
    group = _process_group()
    if group:
        return group
    variables = [name for name in ("RANK", "WORLD_SIZE") if os.environ.get(name)]
    if not variables:
        _refuse_tasks()
        return 0, 1
    rank, number = _number("RANK", 0), _number("WORLD_SIZE", 1)
    if number > 1 and (missing := [name for name in NEEDED if not os.environ.get(name)]):
        raise DepthubError(
            f"{variables[-1]} is {os.environ[variables[-1]]}, but {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set; "
            f"start the processes with `{COMMAND.format(number=number)}`"
        )
    if not 0 <= rank < number:
        raise DepthubError(
            f"RANK is {rank} and WORLD_SIZE is {number}, expected a rank from 0 to {number - 1}; start with `depthub launch`"
        )
    return rank, number


def local_processes() -> int:
    """Number of the processes on this machine, at least 1."""
    return max(1, _number("LOCAL_WORLD_SIZE", 1))


def flag(name: str) -> bool:
    """An environment variable as yes or no; unset and empty are no.

    Raises:
        DepthubError: if it is neither.
    """
    value = os.environ.get(name, "").strip().lower()
    if value in ("", "0", "n", "no", "f", "false", "off"):
        return False
    if value in ("1", "y", "yes", "t", "true", "on"):
        return True
    raise DepthubError(f"{name} is {os.environ[name]!r}, expected yes or no; correct or unset it")


def _process_group() -> tuple[int, int] | None:
    """Rank and number of processes of a process group that exists already, whatever created it."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed.get_rank(), distributed.get_world_size()


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    if not value.isascii() or not value.isdigit():
        raise DepthubError(f"{name} is {value!r}, expected a whole number; start the processes with `depthub launch`, or unset it")
    return int(value)


def _refuse_tasks() -> None:
    for name, launcher in TASKS.items():
        value = os.environ.get(name, "").strip()
        if value.isdigit() and int(value) > 1:
            raise DepthubError(
                f"{launcher} started {value} tasks ({name}) that would each do the whole run; "
                f"start one task with `{COMMAND.format(number=value)}`, which starts {value} processes that share it"
            )
