"""Where a run computes: device, precision and processes, as Accelerate finds them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DynamoBackend, patch_environment

from depthub.errors import DepthubError
from depthub.system import launch
from depthub.system.provenance import cores

# What divides a model among processes, or hands training over to another library.
SHARDING = tuple(f"ACCELERATE_USE_{what}" for what in ("DEEPSPEED", "FSDP", "MEGATRON_LM", "PARALLELISM_CONFIG", "SAGEMAKER"))
DEVICE = "ACCELERATE_TORCH_DEVICE"


@contextmanager
def determinism(wanted: bool) -> Iterator[None]:
    """Torch's choice of operations, for as long as the block lasts."""
    before = torch.are_deterministic_algorithms_enabled()
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses; read when CUDA starts
    torch.use_deterministic_algorithms(before or wanted)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def accelerator(precision: str, *, graphs: bool = False) -> Accelerator:
    """Device, precision and processes of this run; `graphs`: whether its steps are to be played from CUDA graphs.

    Of Accelerate's environment only what chooses the device counts (`ACCELERATE_USE_CPU`, and for one process `ACCELERATE_TORCH_DEVICE`):
    a run's numbers follow from its spec. Several processes without a GPU share the run on the CPU.

    Raises:
        DepthubError: if the device cannot compute in this precision, or not play graphs; if the processes do not share the run, or are to
            share its model.
    """
    processes, mixed = launch.place()[1], "no" if precision == "fp32" else precision
    for name in SHARDING:
        if launch.flag(name):
            raise DepthubError(f"{name} is set, but runs divide images among processes, not models; unset it and start with torchrun")
    cpu = _on_cpu(processes)
    _forget(processes, mixed, cpu)
    with undisturbed(), _threads(processes, cpu):
        made = Accelerator(mixed_precision=mixed, cpu=cpu)
    _check(made, processes, mixed)
    if precision != "fp32" and not made.native_amp:
        raise DepthubError(f"{made.device.type} cannot train in {precision}; use bf16 or fp32")
    if graphs and (made.device.type != "cuda" or made.num_processes > 1 or precision == "fp16"):
        given = f"{made.num_processes} process(es) on {made.device.type} in {precision}"
        raise DepthubError(f"--graphs needs one process on a CUDA device in fp32 or bf16, not {given}; run without it")
    return made


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within, Accelerate finds none of its variables in the environment, but for one process the name of the device; what it makes, it
    makes here."""
    alone = launch.place()[1] == 1
    # a process on its own is no process group of one
    hidden = [name for name in os.environ if (name == "LOCAL_RANK" if alone else name == DEVICE)]
    hidden += [name for name in os.environ if name.startswith("ACCELERATE_") and name != DEVICE]
    before = {name: os.environ.pop(name) for name in hidden}
    try:
        yield
    finally:
        os.environ.update(before)


@contextmanager
def _threads(processes: int, cpu: bool) -> Iterator[None]:
    """Divide the cores of this machine among its processes, unless the user did."""
    if processes == 1 or not cpu or os.environ.get("OMP_NUM_THREADS"):
        yield
        return
    torch.set_num_threads(max(1, cores() // launch.local_processes()))
    with patch_environment(OMP_NUM_THREADS=torch.get_num_threads()):
        yield


def _on_cpu(processes: int) -> bool:
    """Whether the CPU is asked for, or all that several processes have in common here.

    Raises:
        DepthubError: if there are fewer devices than processes, or the one that is asked for does not exist.
    """
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if launch.flag("ACCELERATE_USE_CPU") or _asked() == "cpu" or (processes > 1 and (found is None or found.type == "mps")):
        return True
    here, devices = launch.local_processes(), torch.accelerator.device_count()
    if processes > 1 and here > devices:
        raise DepthubError(
            f"{here} processes would share {devices} device{'' if devices == 1 else 's'}; "
            f"start {devices} with `{launch.COMMAND.format(number=devices)}`, or set ACCELERATE_USE_CPU=yes"
        )
    return False


def _asked() -> str:
    """The kind of device that the environment names, empty if none."""
    name = os.environ.get(DEVICE, "")
    try:
        kind = torch.device(name).type if name else ""
    except RuntimeError:
        kind = "meta"
    if kind == "meta":
        raise DepthubError(f"{DEVICE} is {name!r}, expected a device such as cpu, cuda or cuda:1; correct or unset it")
    return kind


def _forget(processes: int, mixed: str, cpu: bool) -> None:
    """Give up what this process's last run set, or the parent's of a launched process, if this run needs something else."""
    place, state = PartialState._shared_state, AcceleratorState._shared_state
    elsewhere = bool(place) and (place["num_processes"] != processes or (cpu and place["device"].type != "cpu"))
    if elsewhere or (state and (state["_mixed_precision"] != mixed or state["dynamo_plugin"].backend != DynamoBackend.NO)):
        AcceleratorState._reset_state(reset_partial_state=elsewhere)


def _check(made: Accelerator, processes: int, mixed: str) -> None:
    """Accelerate must have made what was asked for, whatever this process did with it before."""
    if made.num_processes != processes:
        raise DepthubError(
            f"{processes} processes were started, but each would do the whole run alone; "
            f"start them with `{launch.COMMAND.format(number=processes)}`"
        )
    asked = {"gradient_accumulation_steps": 1, "mixed_precision": mixed}
    for name, value in asked.items():
        if getattr(made, name) != value:
            raise DepthubError(f"Accelerate's {name} is {getattr(made, name)!r}, expected {value!r}; run in a process of its own")
