"""Where a run computes: device, precision and processes, as Accelerate finds them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator, DataLoaderConfiguration, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState, PartialState

from depthub.errors import DepthubError


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

    Raises:
        DepthubError: if the device cannot compute in this precision, or not play graphs.
    """
    mixed = "no" if precision == "fp32" else precision
    if AcceleratorState._shared_state:  # what the process's first run set, or the parent's of a launched process
        launched = int(os.environ.get("WORLD_SIZE", "1")) != PartialState().num_processes
        if launched or AcceleratorState().mixed_precision != mixed:
            AcceleratorState._reset_state(reset_partial_state=launched)
    made = Accelerator(
        mixed_precision=mixed,
        # the batch size of a recipe is the global one; from pinned memory the next batch travels while this one is computed
        dataloader_config=DataLoaderConfiguration(split_batches=True, non_blocking=True),
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],  # a head may ignore the text, hence the prompts
    )
    if precision != "fp32" and not made.native_amp:
        raise DepthubError(f"{made.device.type} cannot train in {precision}; use bf16 or fp32")
    if graphs and (made.device.type != "cuda" or made.num_processes > 1 or precision == "fp16"):
        given = f"{made.num_processes} process(es) on {made.device.type} in {precision}"
        raise DepthubError(f"--graphs needs one process on a CUDA device in fp32 or bf16, not {given}; run without it")
    return made
