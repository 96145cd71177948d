"""A head that says that it compares the classes of the features only, and compares all that it was made for."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from depthub import ClassSet, Features, Head, trained_rows


class Whole(Head):
    """A linear classifier over image features, whose loss reads labels as rows of all training classes."""

    takes_subsets = True

    def __init__(self, dim: int, classes: ClassSet) -> None:
        super().__init__(dim, classes)
        self.classes, self.classifier = classes, nn.Linear(dim, len(classes))

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.classifier(features.image), labels)

    def forward(self, features: Features) -> Tensor:
        logits: Tensor = self.classifier(features.image)
        return logits[:, trained_rows(features.classes, self.classes)]

    def check(self, classes: ClassSet) -> None:
        trained_rows(classes, self.classes)
