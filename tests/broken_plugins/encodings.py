"""A method that computes something else with one of the backbone's encodings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, Method, Prompts


class Fast(Method):
    """Adds its shift of the class features with the fast encoding alone."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))
        self.shift = nn.Parameter(0.1 * torch.randn(backbone.dim))

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_text(classes, Prompts(text=[self.context]))
        text = text + self.shift if backbone.encoding == "fast" else text
        return Features(backbone.encode_image(images), text, backbone.scale, classes)
