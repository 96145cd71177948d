"""On a GPU: a step of the plain path, of ours, and of ours replayed from CUDA graphs; of one run and of many. Skipped without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import pytest
import torch
from accelerate import Accelerator

from benchmarks.bench_stack import BALANCES, Sweep, jobs, parameters, trainer
from benchmarks.cases import Case
from benchmarks.measure import OURS, PLAIN, Benchmark, relative_error, seconds
from depthub.compute.device import accelerator

GRAPHS = "graphs"
STEPS, ROUNDS = 50, 5
ALONE = tuple(Sweep(Case("CoOp+DePT", number), (0.7,), 1, STEPS, ROUNDS) for number in (10, 50, 100, 500))
TOGETHER = tuple(Sweep(Case("CoOp+DePT", 50), BALANCES[:8], seeds, STEPS, ROUNDS) for seeds in (1, 4))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("sweep", ALONE + TOGETHER, ids=str)
def test_gpu(benchmark: Benchmark, sweep: Sweep, precision: str) -> None:
    ways, tuned = steps(sweep, accelerator(precision, graphs=True))
    for way in ways.values():
        way()  # all start from the same parameters, and warm up
    parameters_of = tuned()
    info = benchmark.extra_info
    info.update({f"{name}_error": relative_error(parameters_of[name], parameters_of[PLAIN]) for name in (OURS, GRAPHS)})
    info["case"] = f"GPU, {precision}: a step of one of {sweep}"
    each = STEPS * sweep.runs
    for name in (PLAIN, OURS):
        info[f"{name}_ms"] = 1e3 * median(seconds(ways[name]) for _ in range(ROUNDS)) / each
    benchmark.pedantic(ways[GRAPHS], rounds=ROUNDS)
    info["graphs_ms"] = 1e3 * median(benchmark.stats.stats.data) / each
    info.update(ours_ratio_normalised=info["plain_ms"] / info["ours_ms"], graphs_ratio=info["plain_ms"] / info["graphs_ms"])


def steps(
    sweep: Sweep, accelerator: Accelerator, *, graphs: bool = True
) -> tuple[dict[str, Callable[[], object]], Callable[[], dict[str, torch.Tensor]]]:
    """An epoch of all runs in each way, and a function that gives the tuned parameters of each way.

    Plain is the plain path for a run alone, and ours one by one for several.
    """
    alone = sweep.runs == 1
    of_ways = {PLAIN: jobs(sweep, [], "reference" if alone else "fast"), OURS: jobs(sweep, []), GRAPHS: jobs(sweep, [], graphs=graphs)}
    for runs in of_ways.values():
        for job in runs:
            job.tuner.to(accelerator.device)
    stacks = {name: [[job] for job in runs] if name == PLAIN else [runs] for name, runs in of_ways.items()}
    ways = {name: trainer(parts, accelerator) for name, parts in stacks.items()}
    return ways, lambda: {name: parameters(runs) for name, runs in of_ways.items()}
