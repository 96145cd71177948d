"""Predictions against labels, as integer counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depthub.protocol import Count


def count(predicted: NDArray[np.int64], labels: NDArray[np.int64], n_classes: int) -> Count:
    """Count the correct predictions of N images, in all and by class.

    Args:
        predicted: (N,), indices of classes.
        labels: (N,), likewise.
        n_classes: M, including classes that occur in neither.
    """
    correct = np.bincount(labels[predicted == labels], minlength=n_classes)
    images = np.bincount(labels, minlength=n_classes)
    guesses = np.bincount(predicted, minlength=n_classes)
    rows = zip(correct.tolist(), images.tolist(), guesses.tolist(), strict=True)
    return Count(int(correct.sum()), len(labels), tuple(rows))
