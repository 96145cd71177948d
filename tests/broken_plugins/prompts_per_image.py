"""A head that counts on one set of text features for all images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub import ClassSet, Features, Head


class Flat(Head):
    """Cosine similarities times a learned scale; for (B, M, d) it reads the first image's text features."""

    def __init__(self, dim: int, classes: ClassSet) -> None:
        super().__init__(dim, classes)
        self.scale = nn.Parameter(torch.tensor(5.0))

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return F.cross_entropy(self(features), labels)

    def forward(self, features: Features) -> Tensor:
        return self.scale * F.normalize(features.image, dim=-1) @ F.normalize(features.text, dim=-1).t()
