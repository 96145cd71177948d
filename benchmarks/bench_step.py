"""One training step: forward, loss, backward, SGD."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.cases import EMBEDDED, MANY, STEPS, Case, backbone, parts
from benchmarks.floor import step_gflop
from benchmarks.measure import TOLERANCE, Benchmark, side_by_side, step_errors, total, variants
from depthub import ClassSet
from depthub.model import Tuner
from depthub.spec import Training

RECIPE = Training()


@pytest.mark.parametrize("case", STEPS, ids=str)
def test_step(benchmark: Benchmark, case: Case) -> None:
    tuners = case.pair()
    images, labels = case.images(case.batch)
    errors = step_errors(*tuners, images, case.classes, labels)
    assert max(errors.values()) <= TOLERANCE
    benchmark.extra_info.update(errors)
    rounds = 30 if case.backbone == EMBEDDED else 3 if case.number <= 50 else 2  # ViT-B/16 takes seconds a step
    ours, plain = (stepper(tuner, images, case.classes, labels) for tuner in tuners)
    side_by_side(benchmark, f"step: {case}", rounds, variants(ours, plain), step_gflop(case))


@pytest.mark.parametrize("case", MANY, ids=str)
def test_many_classes(benchmark: Benchmark, case: Case) -> None:
    tuner = Tuner(backbone(case.backbone), *parts(backbone(case.backbone), case.method, case.classes))
    ours = stepper(tuner, *case.images(case.batch)[:1], case.classes, case.images(case.batch)[1])
    ours()
    side_by_side(benchmark, f"step: {case}", 1, variants(ours), step_gflop(case))


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
