"""The three ablations of CAT in DePT's table 1; each takes CAT's place with `cat=`. The paper reports them with fusion "none"."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from depthub import ITM, ClassSet, Features, Head
from depthub_dept import CAT, ChannelwiseTransform, Init, LinearCAT


class SharedCAT(CAT):
    """v1: one channelwise transform for both modalities."""

    shared = True


class ImageOnlyCAT(LinearCAT):
    """v3: the classifier sees image features alone."""

    reads_text = False

    def samples(self, features: Features, labels: Tensor) -> Tensor:
        return self.image_rows(features)


class MatchingCAT(Head):
    """v2: image-text matching in the transformed space instead of a classifier.

    Args:
        init: start of the channelwise transforms: "identity" as published, or "random" as the paper says.
        normalize: L2-normalise the features first; the published code does not.
        lr_scale: learning rate relative to the prompts'.
    """

    takes_subsets = True

    def __init__(self, dim: int, classes: ClassSet, *, init: Init = "identity", normalize: bool = False, lr_scale: float = 6.5) -> None:
        super().__init__(dim, classes)
        self.image, self.text = ChannelwiseTransform(dim, init), ChannelwiseTransform(dim, init)
        self.itm, self.normalize, self.lr_scale = ITM(dim, classes), normalize, lr_scale

    def adjusted(self, features: Features) -> Features:
        """The features in the head's own space; text (M, d) or (B, M, d)."""
        image, text = features.image, features.text
        if self.normalize:
            image, text = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
        return Features(self.image(image), self.text(text), features.scale, features.classes)

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return self.itm.loss(self.adjusted(features), labels)

    def forward(self, features: Features) -> Tensor:
        """Logits, (B, M)."""
        logits: Tensor = self.itm(self.adjusted(features))
        return logits
