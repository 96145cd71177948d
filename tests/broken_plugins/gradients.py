"""A parameter that no loss depends on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, PromptMethod, Prompts


class Idle(PromptMethod):
    """A second context that is multiplied by zero."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))
        self.spare = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context + 0 * self.spare])
