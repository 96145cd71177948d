"""Bytes that a training step saves for its backward pass; counted, hence the same on every machine with the same operations."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import Tensor, nn

from benchmarks.cases import EMBEDDED, Case
from benchmarks.measure import Benchmark, total
from depthub.compute.linear import use_backend
from depthub.training.tuner import Tuner

CASES = (
    Case("CoOp", 10, backbone=EMBEDDED),
    Case("CoOp", 50),
    Case("CoOp+DePT", 50),
    Case("CoCoOp", 50),
    Case("MaPLe", 50, pixels=True),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_memory(benchmark: Benchmark, case: Case) -> None:
    ours, plain = case.pair()
    megabytes(ours, case)  # constants are not part of a step
    memory = {"plain_mb": megabytes(plain, case), "ours_mb": benchmark.pedantic(megabytes, (ours, case))}
    benchmark.extra_info.update(case=f"kept by a step: {case}", **memory, memory_ratio=memory["plain_mb"] / memory["ours_mb"])


def megabytes(tuner: Tuner, case: Case) -> float:
    """Of tensors that the forward pass makes and saves, in 10^6 bytes."""
    images, labels = case.images(case.batch)
    present = {t.untyped_storage().data_ptr() for t in gc.get_objects() if type(t) in (Tensor, nn.Parameter) and t.layout is torch.strided}
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in present:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with use_backend("torch"), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = total(tuner, images, case.classes, labels)
    assert loss.requires_grad
    return sum(saved.values()) / 1e6
