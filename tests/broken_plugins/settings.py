"""A setting that JSON does not hold."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, PromptMethod, Prompts


class Tuples(PromptMethod):
    """Its shape is a tuple, which comes back as a list."""

    def __init__(self, backbone: Backbone, classes: ClassSet, *, scales: tuple[float, ...] = (0.02, 0.02)) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(torch.stack([s * torch.randn(backbone.text_width) for s in scales]))

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context])
