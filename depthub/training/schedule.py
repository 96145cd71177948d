"""The learning rates of every epoch: warm-up, then a cosine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, pi
from typing import Any

from depthub.spec import Training


def learning_rate(base: float, epoch: int, training: Training) -> float:
    """Constant during warm-up, then a cosine that starts at its full value.

    The published schedule counts the cosine from the end of the warm-up but does not shorten its period, `epochs`, so that it never reaches
    zero, and warms every parameter group up at the same rate, whatever its base rate. With 10 epochs, 1 of warm-up at 1e-5 and a base rate
    of 0.0035, the ten rates are 0.00001, 0.0035, 0.00341, 0.00317, 0.00278, 0.00229, 0.00175, 0.00121, 0.00072 and 0.00033.

    Args:
        base: the parameter group's own rate.
        epoch: counted from 0.
        training: gives epochs and warm-up.
    """
    if epoch < training.warmup_epochs:
        return training.warmup_lr
    return 0.5 * base * (1 + cos(pi * (epoch - training.warmup_epochs) / training.epochs))


def set_learning_rates(groups: Iterable[dict[str, Any]], bases: Sequence[float], epoch: int, training: Training) -> None:
    """Set the rates of an epoch.

    Args:
        groups: the optimiser's parameter groups.
        bases: base rate of each.
        epoch: counted from 0.
        training: gives epochs and warm-up.
    """
    for group, base in zip(groups, bases, strict=True):
        group["lr"] = learning_rate(base, epoch, training)
