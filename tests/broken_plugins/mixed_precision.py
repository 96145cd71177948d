"""A computation that assumes fp32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, PromptMethod, Prompts


class Rigid(PromptMethod):
    """Writes the context, shifted by a layer, into a matrix of fp32."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))
        self.shift = nn.Linear(backbone.text_width, backbone.text_width)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        rows = torch.zeros(self.context.shape)
        rows[torch.arange(len(rows))] = self.shift(self.context)
        return Prompts(text=[rows])
