"""The learning rate of every epoch."""

from __future__ import annotations

from math import cos, pi

from depthub.spec import Training


def learning_rate(base: float, epoch: int, training: Training) -> float:
    """Constant during warm-up, then a cosine that starts at its full value.

    The published schedule counts the cosine from the end of the warm-up but keeps its period at `epochs`, so that it never reaches
    zero, and warms every parameter group up at the same rate, whatever its base rate.

    Args:
        base: the parameter group's own rate.
        epoch: counted from 0.
        training: gives epochs and warm-up.
    """
    if epoch < training.warmup_epochs:
        return training.warmup_lr
    return 0.5 * base * (1 + cos(pi * (epoch - training.warmup_epochs) / training.epochs))
