"""Features of classes that are not those that were asked for, which only some heads notice."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, Method, Prompts


class Renamed(Method):
    """Says that its classes are of a label space of its own."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_text(classes, Prompts(text=[self.context]))
        return Features(backbone.encode_image(images), text, backbone.scale, replace(classes, space="mine"))
