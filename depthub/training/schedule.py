"""The learning rates: warm-up, then a cosine that changes with every epoch or with every step."""

from __future__ import annotations

from math import cos, pi

from depthub.recipe import Length, Training


def learning_rate(base: float, epoch: int, training: Training) -> float:
    """Constant during warm-up, then a cosine that starts at its full value.

    The published schedule counts the cosine from the end of the warm-up but does not shorten its period, `epochs`, so that it never reaches
    zero, and warms every parameter group up at the same rate, whatever its base rate. With 10 epochs, 1 of warm-up at 1e-5 and a base rate
    of 0.0035, the ten rates are 0.00001, 0.0035, 0.00341, 0.00317, 0.00278, 0.00229, 0.00175, 0.00121, 0.00072 and 0.00033.

    Args:
        base: the parameter group's own rate.
        epoch: counted from 0.
        training: gives epochs, warm-up and the final rate.
    """
    if epoch < training.warmup_epochs:
        return training.warmup_lr
    return _cosine(base, epoch - training.warmup_epochs, training.epochs, training.final_lr)


def learning_rate_of_step(base: float, step: int, training: Training, length: Length) -> float:
    """Constant during warm-up, then a cosine that starts at its full value and reaches the final rate when the training ends.

    That is the form of CLIP-LoRA (Zanella and Ben Ayed 2024), whose scheduler is stepped after each of T steps without a warm-up: step t,
    counted from 0, has the rate final + (base - final) (1 + cos(pi t / T)) / 2. Of 4 steps at a base rate of 1 and a final rate of 0, the
    rates are 1, 0.853553, 0.5 and 0.146447.

    Args:
        base: the parameter group's own rate.
        step: counted from 0.
        training: gives warm-up and the final rate.
        length: of the training; warm-up takes all batches of its epochs.
    """
    warmup = training.warmup_epochs * length.batches
    return training.warmup_lr if step < warmup else _cosine(base, step - warmup, length.steps - warmup, training.final_lr)


def _cosine(base: float, done: int, period: int, final: float) -> float:
    """From the base rate down to the final one, which it reaches when the period is done."""
    return final + 0.5 * (base - final) * (1 + cos(pi * done / period))
