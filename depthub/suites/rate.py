"""The speed of this machine, for forecasts where no run was seen."""

from __future__ import annotations

from time import perf_counter

import torch

TRIAL = 1024  # rows of the square matrices whose product is timed


def measured() -> float:
    """Operations per second of one process: the best of some products of matrices."""
    left = torch.ones(TRIAL, TRIAL, device="cuda" if torch.cuda.is_available() else "cpu")
    seconds = []
    for _ in range(4):
        start = perf_counter()
        (left @ left)[0, 0].item()
        seconds.append(perf_counter() - start)
    return 2 * TRIAL**3 / min(seconds)
