"""State that changes in training and is no parameter."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, PromptMethod, Prompts


class Forgetful(PromptMethod):
    """A context that grows with the number of steps, which is kept in a plain attribute."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))
        self.steps = 0

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context * (1 + 0.1 * self.steps)])

    def losses(self, features: Features) -> dict[str, Tensor]:
        self.steps += 1
        return {}
