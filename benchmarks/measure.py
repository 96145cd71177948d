"""Time and parity of several implementations, measured alternately under the same conditions of the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from depthub import ClassSet
from depthub.compute.linear import Backend, choice, use_backend
from depthub.training.tuner import Tuner

TOLERANCE = 2e-5  # relative, fp32: sums in another order
NOMINAL = 100.0  # GFLOP/s of sgemm on the nominal machine of normalised times
SIDE = 1024  # of the probe's matrices: 2.1 GFLOP
PLAIN, OURS, ONEDNN = "plain", "ours", "onednn"  # the reference; ours on the reference's BLAS; ours through oneDNN
Benchmark = Any  # pytest-benchmark's fixture, which is not annotated


def seconds(do: Callable[[], object]) -> float:
    start = perf_counter()
    do()
    return perf_counter() - start


def sgemm_rate() -> float:
    """GFLOP/s of one fp32 matrix product of torch: how fast the machine is at this moment."""
    a = torch.ones(SIDE, SIDE)
    return 2 * SIDE**3 / 1e9 / seconds(lambda: a @ a)


def through(name: Backend, do: Callable[[], object]) -> Callable[[], object]:
    """`do` with its frozen linear maps through one library."""

    def do_through() -> object:
        with use_backend(name):
            return do()

    return do_through


def variants(ours: Callable[[], object], plain: Callable[[], object] | None = None) -> dict[str, Callable[[], object]]:
    """The ways to compare; oneDNN only if depthub chooses it on this machine."""
    ways = {PLAIN: through("torch", plain)} if plain else {}
    ways[OURS] = through("torch", ours)
    return ways if choice() == "torch" else {**ways, ONEDNN: through("onednn", ours)}


def side_by_side(benchmark: Benchmark, case: str, rounds: int, ways: Mapping[str, Callable[[], object]], gflop: float = 0.0) -> None:
    """Record medians, in `benchmark.extra_info`; a round is a probe before each way and the next round's probe.

    Args:
        benchmark: times the last way.
        case: its name in the table.
        rounds: samples of each.
        ways: each takes one sample when called; all have run before.
        gflop: least arithmetic of a sample; if given, the share of our time that it would take at the probe's rate is recorded.
    """
    rates: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in ways}
    *first, last = ways

    def before() -> None:
        for name in first:
            rates.append(sgemm_rate())
            times[name].append(seconds(ways[name]))
        rates.append(sgemm_rate())

    sgemm_rate()  # the first product of a process sets the library up
    benchmark.pedantic(ways[last], setup=before, rounds=rounds)
    rates.append(sgemm_rate())
    times[last] = benchmark.stats.stats.data
    around = [(a + b) / 2 / NOMINAL for a, b in pairwise(rates)]  # in the order in which samples were taken
    info = benchmark.extra_info
    info.update(case=case, sgemm_gflops=median(rates))
    normalised = {}
    for place, (name, samples) in enumerate(times.items()):
        info[f"{name}_ms"] = 1e3 * median(samples)
        normalised[name] = median(t * speed for t, speed in zip(samples, around[place :: len(ways)], strict=True))
        info[f"{name}_normalised_ms"] = 1e3 * normalised[name]
    for name in ways.keys() - {PLAIN} if PLAIN in ways else ():
        info[f"{name}_ratio"] = median(times[PLAIN]) / median(times[name])
        info[f"{name}_ratio_normalised"] = normalised[PLAIN] / normalised[name]
    if gflop:
        info.update(floor_gflop=gflop, efficiency=gflop / NOMINAL / normalised[OURS])


def relative_error(value: Tensor, expected: Tensor) -> float:
    return float((value - expected).norm() / expected.norm())


def step_errors(ours: Tuner, plain: Tuner, images: Tensor, classes: ClassSet, labels: Tensor) -> dict[str, float]:
    """Relative errors of the loss and of the gradient of the method's parameters; also warms both up."""
    steps = []
    for tuner in (ours, plain):
        loss = total(tuner, images, classes, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad.flatten() for p in tuner.method.parameters() if p.grad is not None]
        steps.append((loss.detach(), torch.cat(gradients)))
        tuner.zero_grad()
    (loss, gradient), (plain_loss, plain_gradient) = steps
    return {"loss_error": relative_error(loss, plain_loss), "gradient_error": relative_error(gradient, plain_gradient)}


@torch.no_grad()
def score_errors(ours: Tuner, plain: Tuner, images: Tensor, classes: ClassSet) -> dict[str, float]:
    """Relative error of the scores; also warms both up."""
    return {"score_error": relative_error(ours(images, classes), plain(images, classes))}


def total(tuner: Tuner, images: Tensor, classes: ClassSet, labels: Tensor) -> Tensor:
    """The loss of a step, ()."""
    losses: dict[str, Tensor] = tuner(images, classes, labels)
    return torch.stack(list(losses.values())).sum()
