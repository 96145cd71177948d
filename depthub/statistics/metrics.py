"""Metrics of a task's predictions: a number for the images of a task. From stored predictions; no run is repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from depthub.protocol import Count
    from depthub.records.predictions import Predictions

MetricFunction = Callable[["Predictions"], float]
TOP = 5  # classes of `top5`


def accuracy(predictions: Predictions) -> float:
    """Share of the images that are classified correctly, in percent."""
    return predictions.count().percent


def mean_per_class(predictions: Predictions) -> float:
    """Mean accuracy of the classes with test images, in percent."""
    accuracies = _by_class(predictions)
    return sum(accuracies) / len(accuracies)


def worst_class(predictions: Predictions) -> float:
    """Least accuracy of a class with test images, in percent."""
    return min(_by_class(predictions))


def macro_f1(counts: Count) -> float:
    """Mean F1 over the classes that occur among the labels, in percent; a class never guessed right counts 0."""
    present = [(c, n, g) for c, n, g in counts.per_class if n]
    return 100 * sum(2 * c / (n + g) for c, n, g in present) / len(present)


def mean_f1(predictions: Predictions) -> float:
    """`macro_f1` of the counts behind the predictions, in percent."""
    return macro_f1(predictions.count())


def top5(predictions: Predictions) -> float:
    """Share of the images whose true class is among the five best, in percent.

    Raises:
        NotInPredictionsError: of fewer than five classes, and of a packed run.
    """
    return 100 * predictions.top(TOP) / len(predictions)


def ece(predictions: Predictions) -> float:
    """Expected calibration error over bins of equal width, a fraction; see `Calibration`.

    Raises:
        NotInPredictionsError: of a packed run.
    """
    return predictions.calibration().ece


def adaptive_ece(predictions: Predictions) -> float:
    """Expected calibration error over bins of equally many predictions, a fraction; see `Calibration`.

    Raises:
        NotInPredictionsError: of a packed run.
    """
    return predictions.calibration().adaptive


def brier(predictions: Predictions) -> float:
    """Mean squared difference between the probability of the predicted class and whether it is right, a fraction.

    Raises:
        NotInPredictionsError: of a packed run.
    """
    return predictions.calibration().brier


def likelihood(predictions: Predictions) -> float:
    """Mean negative log-likelihood of the true class, in nats.

    Raises:
        NotInPredictionsError: of a packed run.
    """
    return float(predictions.negative_log_likelihood().mean())


BUILT_IN: Mapping[str, MetricFunction] = {
    "accuracy": accuracy,
    "mean_per_class": mean_per_class,
    "worst_class": worst_class,
    "macro_f1": mean_f1,
    "top5": top5,
    "ece": ece,
    "adaptive_ece": adaptive_ece,
    "brier": brier,
    "nll": likelihood,
}


def _by_class(predictions: Predictions) -> list[float]:
    """Accuracies of the classes with test images, in percent."""
    return [100 * correct / images for correct, images, _ in predictions.count().per_class if images]
