"""A change to the frozen model, in a token that no sentence holds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, PromptMethod, Prompts

UNUSED = 40000


class Meddler(PromptMethod):
    """Shifts a word embedding of the backbone in training."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))
        self.embeddings = [backbone.text.token_embedding.weight]

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context])

    def losses(self, features: Features) -> dict[str, Tensor]:
        with torch.no_grad():
            self.embeddings[0][UNUSED] += 1
        return {}
