"""Texts of the classes that are taken for granted."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, Method, Prompts


class Trusting(Method):
    """Adds the feature of each class's first text, and does not refuse a run without texts."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        described = backbone.encode_sentences([classes.texts[row][0] for row in range(len(classes))])
        text = backbone.encode_text(classes, Prompts(text=[self.context]))
        return Features(backbone.encode_image(images), text + described, backbone.scale, classes)
