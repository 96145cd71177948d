"""DePT: a second head in a space of its own, which keeps base knowledge out of the shared space.

Decoupled Prompt Tuning, CVPR 2024, https://arxiv.org/abs/2309.07439. Equation numbers are the paper's; defaults are the published code's.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub import ITM, ClassSet, DepthubError, Features, Head, hookimpl, trained_rows

Init = Literal["identity", "random"]


class ChannelwiseTransform(nn.Module):
    """cwT: gamma * x + beta for each of d channels (eq. 4)."""

    def __init__(self, dim: int, init: Init) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim) if init == "identity" else torch.randn(dim))
        self.beta = nn.Parameter(torch.zeros(dim) if init == "identity" else torch.randn(dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.gamma * x + self.beta


class LinearCAT(Head):
    """A linear classifier over channelwise transformed features; subclasses choose its training rows.

    Args:
        init: start of the channelwise transforms: "identity" as published, or "random" as the paper says.
        bias: whether the classifier has a bias; eq. 6 has none.
        normalize: L2-normalise the features first; the published code does not.
        transform: whether there are channelwise transforms at all.
        lr_scale: learning rate relative to the prompts'.
    """

    takes_subsets = True
    shared: ClassVar[bool] = False  # one transform for both modalities
    reads_text: ClassVar[bool] = True  # False: no text transform, which would never learn

    def __init__(
        self,
        dim: int,
        classes: ClassSet,
        *,
        init: Init = "identity",
        bias: bool = True,
        normalize: bool = False,
        transform: bool = True,
        lr_scale: float = 6.5,
    ) -> None:
        super().__init__(dim, classes)
        self.classes, self.normalize, self.lr_scale = classes, normalize, lr_scale
        self.image = ChannelwiseTransform(dim, init) if transform else nn.Identity()
        self.text = self.image if self.shared else ChannelwiseTransform(dim, init) if transform and self.reads_text else nn.Identity()
        self.classifier = nn.Linear(dim, len(classes), bias=bias)

    @abstractmethod
    def samples(self, features: Features, labels: Tensor) -> Tensor:
        """The training rows of the classifier, (kB, d): k rows per label; row i belongs to label i modulo B."""

    def image_rows(self, features: Features) -> Tensor:
        """Transformed image features, (B, d)."""
        rows: Tensor = self.image(self.read(features.image))
        return rows

    def text_rows(self, features: Features, labels: Tensor) -> Tensor:
        """Transformed text features of the labels, (B, d)."""
        rows: Tensor = self.text(self.read(features.own_text(labels)))
        return rows

    def read(self, x: Tensor) -> Tensor:
        """Features as the transforms receive them."""
        return F.normalize(x, dim=-1) if self.normalize else x

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        samples = self.samples(features, labels)
        logits = self.classifier(samples)[:, trained_rows(features.classes, self.classes)]
        return F.cross_entropy(logits, labels.repeat(len(samples) // len(labels)))

    def forward(self, features: Features) -> Tensor:
        """Logits of the image features, (B, M)."""
        logits: Tensor = self.classifier(self.image_rows(features))
        return logits[:, trained_rows(features.classes, self.classes)]

    def check(self, classes: ClassSet) -> None:
        trained_rows(classes, self.classes)


class CAT(LinearCAT):
    """Channel adjusted transfer: learns from image and text features alike (eqs. 4-6)."""

    def samples(self, features: Features, labels: Tensor) -> Tensor:
        return torch.cat([self.text_rows(features, labels), self.image_rows(features)])


class DePT(Head):
    """CAT beside ITM, around any method (eqs. 7 and 8).

    On classes that CAT was trained on the two are fused; on new classes ITM decides alone.

    Args:
        balance: weight of CAT in the loss and in the fusion, in [0, 1].
        fusion: quantity that is mixed at test time: "logits" as published, "probabilities" as in eq. 8, or "none": CAT alone.
        cat: the second head.
    """

    takes_subsets = True  # if the second head does
    control: ClassVar[Mapping[str, Any]] = {"balance": 0.0}  # CAT has no part in the loss, and none in the fusion of logits

    def __init__(
        self,
        dim: int,
        classes: ClassSet,
        *,
        balance: float = 0.7,
        fusion: Literal["logits", "probabilities", "none"] = "logits",
        cat: Callable[[int, ClassSet], Head] = CAT,
    ) -> None:
        super().__init__(dim, classes)
        if not 0 <= balance <= 1:
            raise DepthubError(f"DePT: balance is {balance}, expected a weight in [0, 1]")
        self.cat, self.itm = cat(dim, classes), ITM(dim, classes)
        self.classes, self.balance, self.fusion = classes, balance, fusion
        self.lr_scale, self.takes_subsets = self.cat.lr_scale, self.cat.takes_subsets

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return self.balance * self.cat.loss(features, labels) + (1 - self.balance) * self.itm.loss(features, labels)

    def gives_probabilities(self, classes: ClassSet) -> bool:
        return self.fusion == "probabilities" and classes.rows_in(self.classes) is not None

    def forward(self, features: Features) -> Tensor:
        """Fused logits or probabilities on trained classes, ITM's logits on others, (B, M)."""
        if features.classes.rows_in(self.classes) is None:
            return self.itm(features)  # type: ignore[no-any-return]
        cat, itm = self.cat(features), self.itm(features)
        if self.fusion == "none":
            return cat  # type: ignore[no-any-return]
        if self.fusion == "probabilities":
            cat, itm = cat.softmax(dim=-1), itm.softmax(dim=-1)
        return self.balance * cat + (1 - self.balance) * itm  # type: ignore[no-any-return]


@hookimpl
def depthub_heads() -> list[type[Head]]:
    from depthub_dept.variants import ImageOnlyCAT, MatchingCAT, SharedCAT

    return [DePT, CAT, SharedCAT, MatchingCAT, ImageOnlyCAT]
