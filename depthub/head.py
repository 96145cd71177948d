"""What a head is, and CLIP's own: it reads features as class scores and knows neither method nor backbone."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub.errors import DepthubError
from depthub.types import ClassSet, Features


class Head(nn.Module, ABC):
    """Reads features as scores over classes.

    A subclass's constructor takes `dim` and `classes` first and its own settings as keywords.

    Args:
        dim: size d of the joint space.
        classes: the classes it is trained on.
    """

    lr_scale: float = 1.0  # its learning rate relative to the method's

    def __init__(self, dim: int, classes: ClassSet) -> None:
        super().__init__()

    @abstractmethod
    def loss(self, features: Features, labels: Tensor) -> Tensor:
        """Training loss, (); labels (B,) index `features.classes`."""

    @abstractmethod
    def forward(self, features: Features) -> Tensor:
        """Scores over `features.classes`, (B, M): logits, or probabilities where the head says so; the largest is the prediction."""

    def check(self, classes: ClassSet) -> None:
        """Refuse classes that this head cannot read, before any training.

        Raises:
            DepthubError: if it cannot.
        """


class ITM(Head):
    """Image-text matching: cosine similarities times CLIP's scale (DePT, eq. 2)."""

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return F.cross_entropy(self(features), labels)

    def forward(self, features: Features) -> Tensor:
        """Logits, (B, M)."""
        image, text = features.scale * F.normalize(features.image, dim=-1), F.normalize(features.text, dim=-1)
        return image @ text.T if text.ndim == 2 else torch.einsum("bd,bmd->bm", image, text)


def trained_rows(classes: ClassSet, trained: ClassSet) -> list[int] | slice:
    """Index of the rows of `classes` in a head's classifier; for the trained classes themselves a slice, which costs nothing.

    Raises:
        DepthubError: if the classifier was not trained on all of them.
    """
    if classes == trained:
        return slice(None)
    rows = classes.rows_in(trained)
    if rows is None:
        raise DepthubError(
            f"a classifier trained on {len(trained)} classes of {trained.space!r} cannot score classes it never saw; use DePT around it"
        )
    return rows
