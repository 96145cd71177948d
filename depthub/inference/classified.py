"""The outcome of a classification: scores and probabilities of classes for some images."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Classified:
    """Scores of M classes for N images.

    Args:
        class_names: the M classes to tell apart.
        scores: (N, M); logits, or probabilities of a head that gives these. The largest is the prediction.
        probabilities: (N, M).
    """

    class_names: tuple[str, ...]
    scores: Tensor
    probabilities: Tensor

    @property
    def labels(self) -> list[int]:
        """Index of each image's best class; the first of equal ones."""
        return [int(i) for i in self.scores.argmax(dim=1)]

    @property
    def names(self) -> list[str]:
        """Name of each image's best class."""
        return [self.class_names[i] for i in self.labels]

    def best(self, k: int = 5) -> list[list[tuple[str, float]]]:
        """For each image the k most probable classes with their probabilities, best first."""
        values, indices = self.probabilities.sort(dim=1, descending=True, stable=True)
        rows = zip(indices[:, :k].tolist(), values[:, :k].tolist(), strict=True)
        return [[(self.class_names[i], value) for i, value in zip(*row, strict=True)] for row in rows]
