"""Time and parity of two implementations of one thing, taken alternately so that both meet the same machine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from depthub import ClassSet
from depthub.model import Tuner

TOLERANCE = 2e-5  # relative, fp32: sums in another order
NOMINAL = 100.0  # GFLOP/s of sgemm on the machine that normalised times are for
SIDE = 1024  # of the probe's matrices: 2.1 GFLOP
Benchmark = Any  # pytest-benchmark's fixture, which is not annotated


def seconds(do: Callable[[], object]) -> float:
    start = perf_counter()
    do()
    return perf_counter() - start


def sgemm_rate() -> float:
    """GFLOP/s of one fp32 matrix product: how fast the machine is at this moment."""
    a = torch.ones(SIDE, SIDE)
    return 2 * SIDE**3 / 1e9 / seconds(lambda: a @ a)


def side_by_side(benchmark: Benchmark, case: str, rounds: int, ours: Callable[[], object], plain: Callable[[], object]) -> None:
    """Record medians of both, in `benchmark.extra_info`; a round is probe, plain, probe, ours, and the next round's probe.

    Args:
        benchmark: times `ours`.
        case: its name in the table.
        rounds: samples of each.
        ours, plain: take one sample; both have run before.
    """
    rates: list[float] = []
    plain_s: list[float] = []

    def before() -> None:
        rates.append(sgemm_rate())
        plain_s.append(seconds(plain))
        rates.append(sgemm_rate())

    sgemm_rate()  # the first product of a process sets the library up
    benchmark.pedantic(ours, setup=before, rounds=rounds)
    rates.append(sgemm_rate())
    ours_s: list[float] = benchmark.stats.stats.data
    around = [(a + b) / 2 / NOMINAL for a, b in pairwise(rates)]  # plain, ours, plain, ours, ...
    plain_norm = median(t * speed for t, speed in zip(plain_s, around[::2], strict=True))
    ours_norm = median(t * speed for t, speed in zip(ours_s, around[1::2], strict=True))
    benchmark.extra_info.update(
        case=case,
        plain_ms=1e3 * median(plain_s),
        ours_ms=1e3 * median(ours_s),
        ratio=median(plain_s) / median(ours_s),
        plain_normalised_ms=1e3 * plain_norm,
        ours_normalised_ms=1e3 * ours_norm,
        ratio_normalised=plain_norm / ours_norm,
        sgemm_gflops=median(rates),
    )


def relative_error(given: Tensor, expected: Tensor) -> float:
    return float((given - expected).norm() / expected.norm())


def step_errors(ours: Tuner, plain: Tuner, images: Tensor, classes: ClassSet, labels: Tensor) -> dict[str, float]:
    """How far loss and gradient of the context are apart; also warms both up."""
    found = []
    for tuner in (ours, plain):
        loss = total(tuner, images, classes, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        gradient = tuner.method.context.grad
        assert isinstance(gradient, Tensor)
        found.append((loss.detach(), gradient.clone()))
        tuner.zero_grad()
    (loss, gradient), (plain_loss, plain_gradient) = found
    return {"loss_error": relative_error(loss, plain_loss), "gradient_error": relative_error(gradient, plain_gradient)}


@torch.no_grad()
def score_errors(ours: Tuner, plain: Tuner, images: Tensor, classes: ClassSet) -> dict[str, float]:
    """How far the scores are apart; also warms both up."""
    return {"score_error": relative_error(ours(images, classes), plain(images, classes))}


def total(tuner: Tuner, images: Tensor, classes: ClassSet, labels: Tensor) -> Tensor:
    """The loss of a step, ()."""
    losses: dict[str, Tensor] = tuner(images, classes, labels)
    return torch.stack(list(losses.values())).sum()
