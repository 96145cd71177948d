"""Predictions for each test image: enough to recount a run and to compute other metrics without the model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from depthub.errors import DepthubError, NotInPredictionsError
from depthub.protocol import Count
from depthub.records.metrics import count
from depthub.statistics.calibration import Calibration, calibration

BEST = 5  # classes kept for each image
_CLASSES = "classes"  # key of the metadata: numbers of classes by task
_PARTS = ("labels", "best", "scores", "true", "log_sum_exp")


@dataclass(frozen=True, eq=False)
class Predictions:
    """The best classes of N test images among the M classes of a task, k = min(5, M) of them.

    Scores are logits; of a head that gives probabilities, their logarithms. Either way exp(score - log_sum_exp) is a probability.

    Args:
        labels: true classes, (N,) int32.
        best: the k best classes, best first, (N, k) int32; of equal scores the class with the lower index comes first.
        scores: of `best`, (N, k) float32.
        true: score of the true class, (N,) float32.
        log_sum_exp: log of the sum of exp(score) over all M classes, (N,) float32.
            Of a packed run k is 1, and all scores are NaN: they are in the run's own folder only.
        n_classes: M.
    """

    labels: NDArray[np.int32]
    best: NDArray[np.int32]
    scores: NDArray[np.float32]
    true: NDArray[np.float32]
    log_sum_exp: NDArray[np.float32]
    n_classes: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predicted(self) -> NDArray[np.int32]:
        """The best class of each image, (N,)."""
        return self.best[:, 0]

    def count(self) -> Count:
        """Correct predictions in all and by class."""
        return count(self.predicted.astype(np.int64), self.labels.astype(np.int64), self.n_classes)

    def top(self, k: int) -> int:
        """Number of images whose true class is among the k best.

        Raises:
            NotInPredictionsError: if these predictions have fewer than k classes an image.
        """
        if not 1 <= k <= min(BEST, self.n_classes):
            raise NotInPredictionsError(f"top-{k} is not in these predictions: each image has its {self.best.shape[1]} best classes")
        if k > 1:
            self._require_scores(f"top-{k}")
        return int((self.best[:, :k] == self.labels[:, None]).any(axis=1).sum())

    def probabilities(self) -> NDArray[np.float64]:
        """Of `best`, (N, k).

        Raises:
            NotInPredictionsError: of a packed run.
        """
        self._require_scores("a probability")
        probabilities: NDArray[np.float64] = np.exp(self.scores.astype(np.float64) - self.log_sum_exp.astype(np.float64)[:, None])
        return probabilities

    def negative_log_likelihood(self) -> NDArray[np.float64]:
        """Of each image's true class, in nats, (N,).

        Raises:
            NotInPredictionsError: of a packed run.
        """
        self._require_scores("a likelihood")
        lost: NDArray[np.float64] = self.log_sum_exp.astype(np.float64) - self.true.astype(np.float64)
        return lost

    def calibration(self) -> Calibration:
        """Whether the probabilities of the predicted classes are the shares of right ones.

        Raises:
            NotInPredictionsError: of a packed run.
        """
        correct = (self.predicted == self.labels).astype(np.float64)
        return calibration(self.probabilities()[:, 0], correct, self.negative_log_likelihood())

    def confusion(self) -> NDArray[np.int64]:
        """Images by true class (row) and predicted class (column), (M, M)."""
        table = np.zeros((self.n_classes, self.n_classes), np.int64)
        np.add.at(table, (self.labels, self.predicted), 1)
        return table

    def _require_scores(self, quantity: str) -> None:
        if np.isnan(self.true).all():
            raise NotInPredictionsError(
                f"{quantity} cannot be computed from a packed run, which has the best class alone; read the run's own folder"
            )


def best_only(labels: Sequence[int], predicted: NDArray[np.int32], n_classes: int) -> Predictions:
    """Predictions of N images of which the best class alone is known.

    Args:
        labels: true classes, N integers.
        predicted: the best class of each, (N,).
        n_classes: M.

    Raises:
        ValueError: if the labels are not N indices below M.
    """
    indices = np.array(labels)
    if indices.shape != predicted.shape or indices.dtype.kind != "i" or indices.min() < 0 or indices.max() >= n_classes:
        raise ValueError(f"labels are not {len(predicted)} indices of {n_classes} classes")
    unknown = np.full(predicted.shape, np.nan, np.float32)
    return Predictions(indices.astype(np.int32), predicted[:, None], unknown[:, None], unknown, unknown, n_classes)


def dumps(by_task: Mapping[str, Predictions]) -> bytes:
    """All predictions of a run as one safetensors file: tensors `TASK/labels`, `TASK/best` and so on; the same values give the same bytes.

    Class indices take 16 bits where they fit, about 40 bytes per image.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    for task, of_task in by_task.items():
        index = np.uint16 if of_task.n_classes <= 2**16 else np.int32
        arrays |= {f"{task}/labels": of_task.labels.astype(index), f"{task}/best": of_task.best.astype(index)}
        arrays |= {f"{task}/{name}": np.ascontiguousarray(getattr(of_task, name)) for name in ("scores", "true", "log_sum_exp")}
    classes = json.dumps({task: of_task.n_classes for task, of_task in by_task.items()})
    content: bytes = save(arrays, {_CLASSES: classes})  # a single key, since several would come in any order
    return content


def read(path: Path) -> dict[str, Predictions]:
    """The predictions in a file, by task.

    Raises:
        DepthubError: if it cannot be read, or is damaged.
    """
    try:
        with safe_open(path, "np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            classes = {task: int(number) for task, number in json.loads((file.metadata() or {})[_CLASSES]).items()}
        return _by_task(arrays, classes)
    except OSError as error:
        raise DepthubError(f"cannot read {path}: {error.strerror or error}") from error
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise DepthubError(f"{path} is damaged: {' '.join(str(error).split())}; delete the run's folder and run it again") from error


def loads(content: bytes, classes: Mapping[str, int]) -> dict[str, Predictions]:
    """The predictions that `dumps` made a file of.

    Args:
        content: of the file.
        classes: number of classes of each task.

    Raises:
        ValueError, KeyError, SafetensorError: if it is damaged, or lacks a task.
    """
    return _by_task(load(content), classes)


def _by_task(arrays: Mapping[str, NDArray[np.generic]], classes: Mapping[str, int]) -> dict[str, Predictions]:
    return {task: _predictions([arrays[f"{task}/{part}"] for part in _PARTS], number) for task, number in classes.items()}


def _predictions(parts: Sequence[NDArray[np.generic]], n_classes: int) -> Predictions:
    labels, best, scores, true, log_sum_exp = parts
    images, k = len(labels), min(BEST, n_classes)
    shapes = [(images,), (images, k), (images, k), (images,), (images,)]
    if images == 0 or [part.shape for part in parts] != shapes:
        raise ValueError(f"arrays of {[part.shape for part in parts]}, expected {shapes}")
    if any(part.dtype.kind not in "iu" or part.min() < 0 or part.max() >= n_classes for part in (labels, best)):
        raise ValueError(f"a class index that is not one of {n_classes} classes")
    if not all(np.isfinite(part.astype(np.float64)).all() for part in (scores, true, log_sum_exp)):
        raise ValueError("a score that is not finite")
    scores, true, log_sum_exp = (part.astype(np.float32) for part in (scores, true, log_sum_exp))
    return Predictions(labels.astype(np.int32), best.astype(np.int32), scores, true, log_sum_exp, n_classes)
