"""A loss that depends on how the batch is divided."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from depthub import ITM, ClassSet, Features, Head


class Summing(Head):
    """Adds the losses of the images up instead of averaging them."""

    def __init__(self, dim: int, classes: ClassSet) -> None:
        super().__init__(dim, classes)
        self.itm, self.shift = ITM(dim, classes), nn.Linear(dim, dim)

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return 0.01 * F.cross_entropy(self(features), labels, reduction="sum")

    def forward(self, features: Features) -> Tensor:
        scores: Tensor = self.itm(Features(self.shift(features.image), features.text, features.scale, features.classes))
        return scores
