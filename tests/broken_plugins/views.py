"""Views of an image that are added up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, Method, Prompts


class Summed(Method):
    """Takes the sum of an image's views for their mean; matching does not see the length of a feature."""

    views = 2

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_text(classes, Prompts(text=[self.context]))
        return Features(backbone.encode_image(images), text, backbone.scale, classes)

    def training_features(self, backbone: Backbone, images: Tensor, classes: ClassSet, labels: Tensor) -> Features:
        return self.features(backbone, images.sum(dim=1), classes)
