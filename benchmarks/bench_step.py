"""One training step of 4 images: forward, loss, backward, SGD."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.cases import CASES, EMBEDDED, Case
from benchmarks.measure import TOLERANCE, Benchmark, side_by_side, step_errors, total
from depthub import ClassSet
from depthub.model import Tuner
from depthub.spec import Training

RECIPE = Training()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_step(benchmark: Benchmark, case: Case) -> None:
    ours, plain = case.pair()
    images, labels = case.images(RECIPE.batch_size)
    errors = step_errors(ours, plain, images, case.classes, labels)
    assert max(errors.values()) <= TOLERANCE
    benchmark.extra_info.update(errors)
    rounds = 30 if case.backbone == EMBEDDED else 3  # ViT-B/16 takes seconds a step
    steps = [stepper(tuner, images, case.classes, labels) for tuner in (ours, plain)]
    side_by_side(benchmark, f"step: {case}", rounds, *steps)


def stepper(tuner: Tuner, images: Tensor, classes: ClassSet, labels: Tensor) -> Callable[[], object]:
    """The engine's step, and its loss read as a progress display would."""
    groups = tuner.parameter_groups(RECIPE.lr)
    optimizer = torch.optim.SGD(groups, lr=RECIPE.lr, momentum=RECIPE.momentum, weight_decay=RECIPE.weight_decay)

    def step() -> object:
        loss = total(tuner, images, classes, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step
