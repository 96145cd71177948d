"""Calibration: whether the probabilities of predictions are the shares of right ones. From stored predictions; no run is repeated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depthub.errors import DepthubError
from depthub.statistics.table import Array

BINS = 15  # as in Guo et al. 2017


@dataclass(frozen=True)
class Calibration:
    """The calibration of N predictions; all but the likelihood as fractions, 0 is perfect.

    Args:
        ece: expected calibration error, over bins of equal width (Guo et al. 2017, https://arxiv.org/abs/1706.04599, equation 3).
        adaptive: the same over bins of equally many predictions (Nixon et al. 2019, https://arxiv.org/abs/1904.01685).
        brier: mean squared difference between the probability of the predicted class and whether it is right.
        likelihood: mean negative log-likelihood of the true class, in nats.
        overconfidence: mean probability of the predicted class minus the share of right predictions; negative: too cautious.
    """

    ece: float
    adaptive: float
    brier: float
    likelihood: float
    overconfidence: float


def calibration(confidence: Array, correct: Array, negative_log_likelihood: Array, bins: int = BINS) -> Calibration:
    """The calibration of predictions.

    Args:
        confidence: (N,) probability of the predicted class.
        correct: (N,) 1 where it is the true class, else 0.
        negative_log_likelihood: (N,) of the true class, in nats.
        bins: of both calibration errors.

    Raises:
        DepthubError: without predictions, for arrays of other lengths, or for numbers that are no probabilities.
    """
    if not len(confidence) == len(correct) == len(negative_log_likelihood) > 0:
        raise DepthubError(f"{len(confidence)} probabilities, {len(correct)} outcomes and {len(negative_log_likelihood)} likelihoods")
    if not ((confidence >= 0) & (confidence <= 1 + 1e-6)).all():
        raise DepthubError("probabilities are not between 0 and 1")
    width = np.minimum((confidence * bins).astype(int), bins - 1)  # a probability of 1 belongs to the last bin
    mass = np.argsort(np.argsort(confidence, kind="stable"), kind="stable") * bins // len(confidence)
    return Calibration(
        ece=_error(confidence, correct, width),
        adaptive=_error(confidence, correct, mass),
        brier=float(((confidence - correct) ** 2).mean()),
        likelihood=float(negative_log_likelihood.mean()),
        overconfidence=float((confidence - correct).mean()),
    )


def _error(confidence: Array, correct: Array, bins: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Mean over predictions of the distance between confidence and accuracy in their bin."""
    gaps = np.bincount(bins, weights=confidence - correct)
    return float(np.abs(gaps).sum() / len(confidence))
