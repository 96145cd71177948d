"""A setting that JSON does not hold."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, PromptMethod, Prompts

SCALES = {0: 0.02, 1: 0.02}


class Numbered(PromptMethod):
    """Its tokens have numbers, which come back as text."""

    def __init__(self, backbone: Backbone, classes: ClassSet, *, scales: Mapping[int, float] = SCALES) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(torch.stack([scale * torch.randn(backbone.text_width) for scale in scales.values()]))

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context])
