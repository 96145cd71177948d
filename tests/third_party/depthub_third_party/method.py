"""Visual prompt tuning: learn tokens beside the image's patches. https://arxiv.org/abs/2203.12119"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, DepthubError, PromptMethod, Prompts


class VisualPrompts(PromptMethod):
    """Image prompts in the first layers; the text stays the data set's own sentence.

    Args:
        n_ctx: tokens a layer.
        depth: layers that get tokens of their own; 1 is the paper's VPT-shallow.
    """

    tunes_image = True

    def __init__(self, backbone: Backbone, classes: ClassSet, *, n_ctx: int = 4, depth: int = 1) -> None:
        super().__init__(backbone, classes)
        if not 1 <= depth <= backbone.image_depth:
            raise DepthubError(f"VisualPrompts: depth is {depth}, expected 1 to {backbone.image_depth}, the image tower's layers")
        self.tokens = nn.ParameterList(
            nn.Parameter(0.02 * torch.randn(n_ctx, backbone.image_width)) for _ in range(depth)
        )  # each (n_ctx, w_v)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(image=list(self.tokens))
