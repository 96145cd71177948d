"""What a head is, and CLIP's own: it reads features as class scores and knows neither method nor backbone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub.errors import DepthubError
from depthub.types import ClassSet, Features


class Head(nn.Module, ABC):
    """Reads features as scores over classes. It knows neither method nor backbone, so that it works around any method.

    A subclass is named by its class's name. Its constructor takes `dim` and `classes` first and its own settings as keywords, each with a
    type and a default that JSON has, documented under `Args:` of the class; a setting whose default is a head's class takes another head.
    It calls `super().__init__` before it assigns a parameter. What is tuned is an `nn.Parameter` that requires a gradient, which may be
    none; what training changes otherwise is a persistent buffer. Start values come from torch's global generator, which the run has seeded.

    A head reads the first four fields of `Features`, whatever their shapes: text features are (M, d), or (B, M, d) where they depend on the
    image. `Features.own_text` and `ITM` read both. It reads them in full precision, and must not change them.

    Args:
        dim: size d of the joint space.
        classes: the M classes it is trained on. `trained_rows` finds those of a test among them.

    Attributes:
        lr_scale: its learning rate relative to the method's; a finite number of at least 0.
    """

    lr_scale: float = 1.0

    def __init__(self, dim: int, classes: ClassSet) -> None:
        super().__init__()

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The settings in the spelling that equal runs share: where two spellings or an unused value give the same numbers, one of them.

        Args:
            settings: all of the constructor's, by name.
        """
        return settings

    @abstractmethod
    def loss(self, features: Features, labels: Tensor) -> Tensor:
        """Training loss of a batch: its mean, ().

        Args:
            features: of B images and the training classes.
            labels: (B,), integers that index `features.classes`.
        """

    @abstractmethod
    def forward(self, features: Features) -> Tensor:
        """Scores over `features.classes`, in their order: the largest of an image is the prediction, the first of equal ones.

        An image's scores depend on nothing but its own features and the classes'.

        Args:
            features: of B images and M classes, which need not be those of the training: new ones, some of them, or another order.

        Returns:
            (B, M), finite: logits, or probabilities where `gives_probabilities` says so.
        """

    def gives_probabilities(self, classes: ClassSet) -> bool:
        """Whether `forward`'s scores over these classes are probabilities, each image's adding up to 1; logits otherwise."""
        return False

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
