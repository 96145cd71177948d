"""Chance that the seed does not govern."""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, PromptMethod, Prompts


class Gambler(PromptMethod):
    """A loss with a weight drawn by Python's own generator."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context])

    def losses(self, features: Features) -> dict[str, Tensor]:
        return {"short": random.random() * self.context.square().mean()}
