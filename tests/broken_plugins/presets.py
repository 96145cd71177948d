"""Published values with a name that the recipe does not know."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Preset, PromptMethod, Prompts


class Misspelt(PromptMethod):
    """Asks for an optimizer that there is not."""

    presets = (Preset("original", {}, {"optimizer": "adagrad"}),)

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context])
