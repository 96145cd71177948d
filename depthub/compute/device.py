"""Device, precision and processes of a run, through Accelerate."""

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

# Settings that divide a model among processes, or hand training over to another library.
SHARDING = tuple(f"ACCELERATE_USE_{what}" for what in ("DEEPSPEED", "FSDP", "MEGATRON_LM", "PARALLELISM_CONFIG", "SAGEMAKER"))
DEVICE = "ACCELERATE_TORCH_DEVICE"


@contextmanager
def determinism(on: bool) -> Iterator[None]:
    """A block in which torch uses deterministic operations alone, if `on` or if it did so before."""
    before = torch.are_deterministic_algorithms_enabled()
    if on:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses; read when CUDA starts
    torch.use_deterministic_algorithms(before or on)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def accelerator(precision: str, *, graphs: bool = False) -> Accelerator:
    """Device, precision and processes of this run.

    Of Accelerate's environment variables only those of the device count (`ACCELERATE_USE_CPU`, and for one process
    `ACCELERATE_TORCH_DEVICE`): a run's numbers follow from its spec. Several processes without a GPU share the run on the CPU.

    Args:
        precision: "fp32", "bf16" or "fp16".
        graphs: whether its steps are replayed from CUDA graphs.

    Raises:
        DepthubError: if the device cannot compute in this precision or replay graphs, or the processes would not share the run, or would
            share its model.
    """
    processes, mixed = launch.place()[1], "no" if precision == "fp32" else precision
    for name in SHARDING:
        if launch.flag(name):
            raise DepthubError(
                f"{name} is set, but runs divide images among processes, not models; unset it and start with `depthub launch`"
            )
    cpu = _on_cpu(processes)
    _forget(processes, mixed, cpu)
    with undisturbed(), _threads(processes, cpu):
        accelerator = Accelerator(mixed_precision=mixed, cpu=cpu)
    _check(accelerator, processes, mixed)
    device = accelerator.device.type
    if precision != "fp32" and not accelerator.native_amp:
        raise DepthubError(f"{device} cannot train in {precision}; use bf16 or fp32")
    if graphs and (device != "cuda" or accelerator.num_processes > 1 or precision == "fp16"):
        setup = f"{accelerator.num_processes} process(es) on {device} in {precision}"
        raise DepthubError(f"--graphs needs one process on a CUDA device in fp32 or bf16, not {setup}; run without it")
    return accelerator


@contextmanager
def undisturbed() -> Iterator[None]:
    """A block in which Accelerate finds none of its environment variables, except, with one process, the name of the device; objects of
    Accelerate are made in such blocks."""
    alone = launch.place()[1] == 1
    # a single process is not a process group
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
    """Whether to compute on the CPU: by request, or because several processes have no other kind of device.

    Raises:
        DepthubError: if there are fewer devices than processes, or the requested one does not exist.
    """
    gpu = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if launch.flag("ACCELERATE_USE_CPU") or _requested() == "cpu" or (processes > 1 and (gpu is None or gpu.type == "mps")):
        return True
    here, devices = launch.local_processes(), torch.accelerator.device_count()
    if processes > 1 and here > devices:
        raise DepthubError(
            f"{here} processes would share {devices} device{'' if devices == 1 else 's'}; "
            f"start {devices} with `{launch.COMMAND.format(number=devices)}`, or set ACCELERATE_USE_CPU=yes"
        )
    return False


def _requested() -> str:
    """The kind of device that the environment names, empty without a name."""
    name = os.environ.get(DEVICE, "")
    try:
        kind = torch.device(name).type if name else ""
    except RuntimeError:
        kind = "meta"
    if kind == "meta":
        raise DepthubError(f"{DEVICE} is {name!r}, expected a device such as cpu, cuda or cuda:1; correct or unset it")
    return kind


def _forget(processes: int, mixed: str, cpu: bool) -> None:
    """Discard Accelerate's state of this process's last run, or of a launched process's parent, if this run needs another."""
    place, state = PartialState._shared_state, AcceleratorState._shared_state
    elsewhere = bool(place) and (place["num_processes"] != processes or (cpu and place["device"].type != "cpu"))
    if elsewhere or (state and (state["_mixed_precision"] != mixed or state["dynamo_plugin"].backend != DynamoBackend.NO)):
        AcceleratorState._reset_state(reset_partial_state=elsewhere)


def _check(accelerator: Accelerator, processes: int, mixed: str) -> None:
    """Check that Accelerate has this run's settings, whatever this process did with it before."""
    if accelerator.num_processes != processes:
        raise DepthubError(
            f"{processes} processes were started, but each would do the whole run alone; "
            f"start them with `{launch.COMMAND.format(number=processes)}`"
        )
    expected = {"gradient_accumulation_steps": 1, "mixed_precision": mixed}
    for name, value in expected.items():
        if getattr(accelerator, name) != value:
            raise DepthubError(f"Accelerate's {name} is {getattr(accelerator, name)!r}, expected {value!r}; run in a process of its own")
