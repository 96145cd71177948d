"""Visual prompt tuning: learn tokens beside the image's patches. https://arxiv.org/abs/2203.12119"""

from __future__ import annotations

from torch import Tensor

from depthub import Backbone, ClassSet, PromptMethod, Prompts, deep_prompts


class VisualPrompts(PromptMethod):
    """Image prompts in the first layers; the text stays the data set's own sentence.

    Args:
        n_ctx: tokens per layer.
        depth: number of layers with tokens of their own; 1 is the paper's VPT-shallow.
    """

    tunes_image = True

    def __init__(self, backbone: Backbone, classes: ClassSet, *, n_ctx: int = 4, depth: int = 1) -> None:
        super().__init__(backbone, classes)
        self.tokens = deep_prompts(self, depth, backbone.image_depth, n_ctx, backbone.image_width)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(image=list(self.tokens))
