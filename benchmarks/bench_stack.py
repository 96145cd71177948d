"""Many runs: trained together as depthub does it, and one after the other; the time that a run takes for a few steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import TensorDataset

from benchmarks.cases import EMBEDDED, Case, backbone
from benchmarks.measure import OURS, PLAIN, TOLERANCE, Benchmark, relative_error, side_by_side, through
from depthub.engine import Course, fit_together
from depthub.linear import engine
from depthub.model import Tuner
from depthub.plugins import installed
from depthub.spec import Training
from depthub.stack import arrange

BALANCES = [i / 10 for i in range(11)]  # of DePT, as in the paper's figure 4


@dataclass(frozen=True)
class Sweep:
    """Runs of CoOp under DePT that differ in balance and seed.

    Args:
        case: says backbone and classes.
        balances: of DePT.
        seeds: number of seeds with each balance.
        steps: of each run in a sample.
        rounds: samples.
    """

    case: Case
    balances: Sequence[float]
    seeds: int
    steps: int
    rounds: int

    def __str__(self) -> str:
        return f"{self.runs} runs, {self.case}"

    @property
    def runs(self) -> int:
        return len(self.balances) * self.seeds


SWEEPS = (
    Sweep(Case("CoOp+DePT", 10, backbone=EMBEDDED), BALANCES, 3, steps=4, rounds=10),
    Sweep(Case("CoOp+DePT", 10), BALANCES[:8], 1, steps=1, rounds=5),
    Sweep(Case("CoOp+DePT", 50), BALANCES[:8], 1, steps=1, rounds=3),
)


@pytest.mark.parametrize("sweep", SWEEPS, ids=str)
def test_stack(benchmark: Benchmark, sweep: Sweep) -> None:
    losses: list[list[float]] = [[], []]
    together, alone = (courses(sweep, told) for told in losses)
    stacks = [[together[i] for i in places] for places, _ in arrange(together, "auto")]
    ours, plain = (through(engine(), trainer(parts)) for parts in (stacks, [[course] for course in alone]))
    ours()
    plain()
    benchmark.extra_info["loss_error"] = relative_error(*(torch.tensor(sorted(told)) for told in losses))
    benchmark.extra_info["parameter_error"] = relative_error(parameters(together), parameters(alone))
    assert max(value for key, value in benchmark.extra_info.items() if key.endswith("_error")) <= TOLERANCE
    side_by_side(benchmark, f"{sweep.steps} steps of one of {sweep}", sweep.rounds, {PLAIN: plain, OURS: ours})
    benchmark.extra_info.update({key: value / sweep.runs for key, value in benchmark.extra_info.items() if key.endswith("_ms")})


def courses(sweep: Sweep, told: list[float]) -> list[Course]:
    """One epoch of each run, from a seeded start; `told` gets the losses."""
    plugins, model, classes = installed(), backbone(sweep.case.backbone), sweep.case.classes
    recipe = Training(epochs=1, warmup_epochs=0)
    made = []
    for seed in range(sweep.seeds):
        for balance in sweep.balances:
            torch.manual_seed(seed)
            method, head = plugins.get("methods", "CoOp")(model, classes), plugins.get("heads", "DePT")(model.dim, classes, balance=balance)
            images = TensorDataset(*sweep.case.images(recipe.batch_size * sweep.steps))
            tuner = Tuner(model, method, head)
            made.append(Course(tuner, images, classes, recipe, seed, on_epoch=lambda _, loss: told.append(loss)))
    return made


def trainer(stacks: Sequence[Sequence[Course]]) -> Callable[[], object]:
    """Trains stack after stack."""
    accelerator = Accelerator(cpu=True)
    return lambda: [fit_together(stack, accelerator) for stack in stacks]


def parameters(courses: Sequence[Course]) -> Tensor:
    """All that was tuned, one after the other."""
    return torch.cat([p.detach().flatten() for course in courses for p in course.tuner.tuned().values()])
