"""A computation that assumes fp32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import ITM, ClassSet, Features, Head


class Rigid(Head):
    """Writes the similarities into a matrix of fp32."""

    def __init__(self, dim: int, classes: ClassSet) -> None:
        super().__init__(dim, classes)
        self.itm, self.shift = ITM(dim, classes), nn.Linear(dim, dim)

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return self.itm.loss(self.moved(features), labels)

    def forward(self, features: Features) -> Tensor:
        return self.itm(self.moved(features))  # type: ignore[no-any-return]

    def moved(self, features: Features) -> Features:
        rows = torch.zeros(features.image.shape)
        rows[torch.arange(len(rows))] = self.shift(features.image)
        return Features(rows, features.text, features.scale, features.classes)
