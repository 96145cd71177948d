"""Text features of a step in another order than the classes beside them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, Method, Prompts


class Confused(Method):
    """Compares the classes of the batch's labels alone, as it says, but with their text features the wrong way round."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_text(classes, Prompts(text=[self.context]))
        return Features(backbone.encode_image(images), text, backbone.scale, classes)

    def training_features(self, backbone: Backbone, images: Tensor, classes: ClassSet, labels: Tensor) -> Features:
        features = self.features(backbone, images, classes)
        return Features(features.image, features.text.flip(0), features.scale, classes.take(list(range(len(classes)))))
