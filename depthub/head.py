"""Heads, and CLIP's own: a head turns features into class scores and knows neither method nor backbone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub.errors import DepthubError
from depthub.types import ClassSet, Features


class Head(nn.Module, ABC):
    """Turns features into scores over classes. It knows neither method nor backbone, so that it works with any method.

    A subclass is named by its class's name. Its constructor takes `dim` and `classes` first and its own settings as keywords, each with a
    type and a default that JSON has, documented under `Args:` of the class; a setting with a head's class as default takes another head.
    It calls `super().__init__` before it assigns a parameter. Tuned tensors, if any, are `nn.Parameter`s that require a gradient; other
    tensors that change in training are persistent buffers. Start values come from torch's global generator, which the run has seeded.

    A head reads the first four fields of `Features`, whatever their shapes: text features are (M, d), or (B, M, d) where they depend on the
    image. `Features.own_text` and `ITM` read both. It reads them in full precision, and must not change them.

    Args:
        dim: size d of the joint space.
        classes: the M classes of the training. `trained_rows` gives the places of a test's classes among them.

    Attributes:
        lr_scale: its learning rate relative to the method's; a finite number of at least 0.
        added: as in `Method`.
        takes_subsets: its loss compares the classes of `features.classes` only, in their order, so that a method may choose some of the
            training classes for a step.
        control: settings at which the head trains and tests as if what it adds were not there: a row with them beside one without shows
            what the addition does. Empty: it has no such settings.
    """

    lr_scale: float = 1.0
    takes_subsets: bool = False
    added: ClassVar[Mapping[str, Any]] = {}
    control: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, dim: int, classes: ClassSet) -> None:
        super().__init__()

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The settings in a canonical form: one of all forms, or values of an unused setting, that give the same numbers.

        Args:
            settings: all of the constructor's, by name.
        """
        return settings

    @abstractmethod
    def loss(self, features: Features, labels: Tensor) -> Tensor:
        """Training loss of a batch: its mean, ().

        Args:
            features: of B images and the training classes, or some of them if the method chooses some for a step.
            labels: (B,), integers that index `features.classes`.
        """

    @abstractmethod
    def forward(self, features: Features) -> Tensor:
        """Scores over `features.classes`, in their order: the largest of an image is the prediction, the first of equal ones.

        An image's scores depend on its own features and the classes' alone.

        Args:
            features: of B images and M classes, not always the training's: new ones, some of them, or another order.

        Returns:
            (B, M), finite: logits, or probabilities if `gives_probabilities`.
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

    takes_subsets = True

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return F.cross_entropy(self(features), labels)

    def forward(self, features: Features) -> Tensor:
        """Logits, (B, M), with those that the method adds."""
        image, text = features.scale * F.normalize(features.image, dim=-1), F.normalize(features.text, dim=-1)
        logits = image @ text.T if text.ndim == 2 else torch.einsum("bd,bmd->bm", image, text)
        return logits if features.added is None else logits + features.added


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
            f"a classifier trained on {len(trained)} classes of {trained.space!r} cannot score other classes; "
            "wrap it in DePT (`--head DePT --head.cat NAME`)"
        )
    return rows
