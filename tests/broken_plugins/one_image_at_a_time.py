"""Scores that are relative to those of the other images."""

from __future__ import annotations

from torch import Tensor, nn

from depthub import ITM, ClassSet, Features, Head


class Centred(Head):
    """Takes the mean of all scores in the batch from each."""

    def __init__(self, dim: int, classes: ClassSet) -> None:
        super().__init__(dim, classes)
        self.itm, self.shift = ITM(dim, classes), nn.Linear(dim, dim)

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return self.itm.loss(self.moved(features), labels)

    def forward(self, features: Features) -> Tensor:
        scores: Tensor = self.itm(self.moved(features))
        return scores - scores.mean()

    def moved(self, features: Features) -> Features:
        return Features(self.shift(features.image), features.text, features.scale, features.classes)
