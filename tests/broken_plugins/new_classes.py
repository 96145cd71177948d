"""Prompts for the training classes only, without a word about it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, PromptMethod, Prompts


class Narrow(PromptMethod):
    """A context for each training class, and no `check`."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.classes = classes
        self.contexts = nn.Parameter(0.02 * torch.randn(len(classes), 4, backbone.text_width))

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.contexts])
