"""Backbone, method and head as one module: the single forward pass that training and evaluation share."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from depthub.backbone import Backbone
from depthub.head import Head
from depthub.method import Method
from depthub.types import ClassSet, Features


class Tuner(nn.Module):
    """What is tuned, around what is frozen. Everything trainable goes through `forward`, so that data-parallel wrappers see it."""

    def __init__(self, backbone: Backbone, method: Method, head: Head) -> None:
        super().__init__()
        self.backbone, self.method, self.head = backbone, method, head

    def forward(self, images: Tensor, classes: ClassSet, labels: Tensor | None = None) -> Tensor | dict[str, Tensor]:
        """Scores, or with labels the losses to add up.

        Args:
            images: pixels (B, 3, H, W), or image features (B, d) for methods that do not tune the image side.
            classes: the M classes to tell apart.
            labels: (B,), indices into `classes`.

        Returns:
            Scores (B, M); with labels a dict of losses, each ().
        """
        features = self.method.features(self.backbone, images, classes)
        if labels is None:
            scores: Tensor = self.head(features)
            return scores
        return self.losses(features, labels)

    def losses(self, features: Features, labels: Tensor) -> dict[str, Tensor]:
        """The head's loss and the method's own, each (), by name; labels (B,) index the features' classes."""
        return {"head": self.head.loss(features, labels), **self.method.losses(features)}

    def tuned(self) -> dict[str, nn.Parameter]:
        """Every trainable parameter by name; nothing of the backbone."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """For the optimiser: the method at `lr`, the head at `lr` times its own scale."""
        rates = ((self.method, lr), (self.head, lr * self.head.lr_scale))
        groups = [{"params": [p for p in part.parameters() if p.requires_grad], "lr": rate} for part, rate in rates]
        return [group for group in groups if group["params"]]
