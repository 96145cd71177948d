"""Prompts that depend on the image without being declared so."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub import Backbone, ClassSet, Features, Method, Prompts


class Undeclared(Method):
    """Moves the class features by what it sees, with `needs_image` left false."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))
        self.shift = nn.Linear(backbone.dim, backbone.dim)

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        image = backbone.encode_image(images)
        text = backbone.encode_text(classes, Prompts(text=[self.context]))
        return Features(image, text + self.shift(F.normalize(image, dim=-1))[:, None], backbone.scale, classes)
