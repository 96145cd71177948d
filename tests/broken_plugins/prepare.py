"""A closed form that depends on the order of the training images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, Method, Prompts


class First(Method):
    """Moves the class features towards the first training image."""

    first: Tensor

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))
        self.register_buffer("first", torch.empty(0))

    def prepare(self, backbone: Backbone, images: Tensor, labels: Tensor) -> None:
        self.first = images[0]

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_text(classes, Prompts(text=[self.context]))
        return Features(backbone.encode_image(images), text + self.first, backbone.scale, classes)
