"""Many runs, trained together and one after the other: the time per run for a few steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import TensorDataset

from benchmarks.cases import EMBEDDED, Case, backbone, reference
from benchmarks.measure import OURS, PLAIN, TOLERANCE, Benchmark, relative_error, side_by_side, through
from depthub.compute.linear import choice, linear
from depthub.encoding.sentences import write
from depthub.encoding.token_trie import build_trie
from depthub.registry.plugins import installed
from depthub.spec import Training
from depthub.training.grouping import group_jobs
from depthub.training.job import TrainingJob
from depthub.training.loop import fit_together
from depthub.training.tuner import Tuner

BALANCES = [i / 10 for i in range(11)]  # of DePT, as in the paper's figure 4


@dataclass(frozen=True)
class Sweep:
    """Runs of CoOp under DePT that differ in balance and seed.

    Args:
        case: gives backbone and classes.
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
    together, alone = (jobs(sweep, of_side) for of_side in losses)
    stacks = [[together[i] for i in places] for places, _ in group_jobs(together, "auto")]
    ours, plain = (through(choice(), trainer(parts)) for parts in (stacks, [[job] for job in alone]))
    ours()
    plain()
    benchmark.extra_info["loss_error"] = relative_error(*(torch.tensor(sorted(of_side)) for of_side in losses))
    benchmark.extra_info["parameter_error"] = relative_error(parameters(together), parameters(alone))
    assert max(value for key, value in benchmark.extra_info.items() if key.endswith("_error")) <= TOLERANCE
    side_by_side(benchmark, f"{sweep.steps} steps of one of {sweep}", sweep.rounds, {PLAIN: plain, OURS: ours})
    benchmark.extra_info.update({key: value / sweep.runs for key, value in benchmark.extra_info.items() if key.endswith("_ms")})


@pytest.mark.parametrize("sweep", SWEEPS[1:], ids=str)
def test_products(benchmark: Benchmark, sweep: Sweep) -> None:
    """The matrix products of a step alone: they bound the gain of a stack."""
    model, runs = backbone(sweep.case.backbone), sweep.runs
    symbols = write(model.tokenizer, model.context_length, sweep.case.classes, 16, "end", "").symbols(per_class=False)
    rows = build_trie(symbols, torch.device("cpu"), torch.float32).within.count
    weights = [w for w in model.text.transformer.parameters() if w.ndim == 2]
    together, alone = ([torch.ones(rows * n, weight.shape[1]).requires_grad_() for weight in weights] for n in (runs, 1))

    def products(inputs: Sequence[Tensor]) -> None:
        for x, weight in zip(inputs, weights, strict=True):
            linear(x, weight).backward(torch.ones(len(x), len(weight)))

    ours, plain = (through(choice(), lambda inputs=inputs: products(inputs)) for inputs in (together, alone))
    ours()
    side_by_side(benchmark, f"products of a step of one of {sweep}", 5, {PLAIN: lambda: [plain() for _ in range(runs)], OURS: ours})
    benchmark.extra_info.update({key: value / runs for key, value in benchmark.extra_info.items() if key.endswith("_ms")})


def jobs(sweep: Sweep, losses: list[float], encoding: Literal["fast", "reference"] = "fast", *, graphs: bool = False) -> list[TrainingJob]:
    """One epoch of each run, from a seeded start; the losses are added to `losses`."""
    plugins, model, classes = installed(), backbone(sweep.case.backbone), sweep.case.classes
    model = model if encoding == "fast" else reference(model)
    recipe = Training(epochs=1, warmup_epochs=0)
    runs = []
    for seed in range(sweep.seeds):
        for balance in sweep.balances:
            torch.manual_seed(seed)
            method, head = plugins.get("methods", "CoOp")(model, classes), plugins.get("heads", "DePT")(model.dim, classes, balance=balance)
            images = TensorDataset(*sweep.case.images(recipe.batch_size * sweep.steps))
            tuner = Tuner(model, method, head)
            runs.append(TrainingJob(tuner, images, classes, recipe, seed, on_epoch=lambda _, loss: losses.append(loss), graphs=graphs))
    return runs


def trainer(stacks: Sequence[Sequence[TrainingJob]], accelerator: Accelerator | None = None) -> Callable[[], object]:
    """Trains stack after stack."""
    accelerator = accelerator or Accelerator(cpu=True)
    return lambda: [fit_together(stack, accelerator) for stack in stacks]


def parameters(jobs: Sequence[TrainingJob]) -> Tensor:
    """All tuned parameters, one after the other."""
    return torch.cat([p.detach().flatten() for job in jobs for p in job.tuner.tuned().values()])
