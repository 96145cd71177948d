"""How a head reads classes that it was trained on when new ones stand beside them: three readings of one trained head.

No head needs to know them. To a head, classes of another label space are new, and every head says by itself how it scores new ones:
DePT by image-text matching alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from torch import Tensor

from depthub.boundary.owner import owner_name
from depthub.errors import DepthubError
from depthub.head import Head
from depthub.inference.rescored import ScoredBy
from depthub.training.tuner import Tuner
from depthub.types import ClassSet, Features
from depthub.values.checks import choice


class AsNew(Head):
    """A head that reads every class as a new one.

    Args:
        head: a trained one.
        classes: that it was trained on.
    """

    def __init__(self, head: Head, classes: ClassSet) -> None:
        super().__init__(0, classes)
        self.head = head

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return self.head.loss(_as_new(features), labels)

    def forward(self, features: Features) -> Tensor:
        """The head's scores, (B, M)."""
        scores: Tensor = self.head(_as_new(features))
        return scores

    def gives_probabilities(self, classes: ClassSet) -> bool:
        return self.head.gives_probabilities(_renamed(classes))

    def check(self, classes: ClassSet) -> None:
        self.head.check(_renamed(classes))


class RowByRow(AsNew):
    """A head that reads trained classes as in its training, and all others as new ones, whatever stands beside them."""

    def __init__(self, head: Head, classes: ClassSet) -> None:
        super().__init__(head, classes)
        self.classes = classes

    def forward(self, features: Features) -> Tensor:
        """The head's logits, (B, M), of two calls."""
        rows = rows_of(features.classes, self.classes)
        if len(rows) in (0, len(features.classes)):
            return super().forward(features) if not rows else self.head(features)
        scores = super().forward(features).clone()
        scores[:, rows] = self.head(replace(features, text=features.text[..., rows, :], classes=features.classes.take(rows)))
        return scores

    def gives_probabilities(self, classes: ClassSet) -> bool:
        """False: `check` has refused others."""
        return False

    def check(self, classes: ClassSet) -> None:
        super().check(classes)
        if self.head.gives_probabilities(self.classes) or super().gives_probabilities(classes):
            name = owner_name("head", self.head)
            raise DepthubError(f"{name} gives probabilities, which do not compare across rows; choose the reading 'head' or 'itm'")


def rows_of(classes: ClassSet, trained: ClassSet) -> list[int]:
    """The places of trained classes among others, in rising order."""
    ids = set(trained.ids) if classes.space == trained.space else set()
    return [row for row, i in enumerate(classes.ids) if i in ids]


def read_by(tuner: Tuner, scored_by: ScoredBy, trained: ClassSet, classes: ClassSet) -> Tuner:
    """A tuner whose head reads classes in one of three ways.

    Args:
        tuner: trained.
        scored_by: "head": all classes together, as the head itself decides; "itm": every class as a new one; "rows": the trained classes as
            in the run, and the others as new ones.
        trained: the classes that it was trained on.
        classes: the M classes to tell apart.

    Raises:
        DepthubError: for another word, and for classes that the head cannot read so.
    """
    choice("reading", scored_by, get_args(ScoredBy))
    if scored_by == "head":
        return tuner
    head = (AsNew if scored_by == "itm" else RowByRow)(tuner.head, trained)
    reading = Tuner(tuner.backbone, tuner.method, head).eval()
    reading.check(classes)
    return reading


def _as_new(features: Features) -> Features:
    return replace(features, classes=_renamed(features.classes))


def _renamed(classes: ClassSet) -> ClassSet:
    """The classes in a label space of their own."""
    return replace(classes, space=f"{classes.space} as new")
