"""A head that learns a point for each class beside the class's text feature."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub import ClassSet, Features, Head


class Prototypes(Head):
    """Cosine similarity to the text feature, moved by a learned offset for classes it was trained on.

    Args:
        reach: how far an offset moves a class, relative to the normalised text feature.
    """

    def __init__(self, dim: int, classes: ClassSet, *, reach: float = 1.0) -> None:
        super().__init__(dim, classes)
        self.classes, self.reach = classes, reach
        self.offsets = nn.Parameter(torch.zeros(len(classes), dim))  # (M, d)

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return F.cross_entropy(self(features), labels)

    def forward(self, features: Features) -> Tensor:
        """Logits, (B, M)."""
        image, points = F.normalize(features.image, dim=-1), F.normalize(features.text, dim=-1)
        rows = features.classes.rows_in(self.classes)
        if rows is not None:
            points = F.normalize(points + self.reach * self.offsets[rows], dim=-1)
        image = features.scale * image
        return image @ points.T if points.ndim == 2 else torch.einsum("bd,bmd->bm", image, points)
