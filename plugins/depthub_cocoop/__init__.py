"""CoCoOp: a context with a shift that is computed from each image. https://arxiv.org/abs/2203.05557"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from depthub import Backbone, ClassSet, DepthubError, Preset, PromptMethod, Prompts, canonical_context, hookimpl, start_context, start_words


class CoCoOp(PromptMethod):
    """A context shared by all classes, plus the same shift of all its tokens for each image.

    Args:
        n_ctx: number of learned tokens; ignored when ctx_init is given (its words set the number).
        ctx_init: words whose embeddings start the context, one token for each word; empty: normal, standard deviation 0.02.
        reduction: the network of the shift has d // reduction hidden units.
    """

    needs_image = True
    presets = tuple(Preset(name, training={"lr": 0.002, "batch_size": 1}) for name in ("dept-repo", "original"))

    def __init__(
        self, backbone: Backbone, classes: ClassSet, *, n_ctx: int = 4, ctx_init: str = "a photo of a", reduction: int = 16
    ) -> None:
        super().__init__(backbone, classes)
        self.words = start_words(ctx_init)
        self.context = nn.Parameter(start_context(backbone, self.words, n_ctx))  # (n, w)
        hidden = backbone.dim // reduction
        if hidden < 1:
            raise DepthubError(f"CoCoOp: reduction is {reduction}, expected at most {backbone.dim}, the size of the joint space")
        self.meta_net = nn.Sequential(nn.Linear(backbone.dim, hidden), nn.ReLU(), nn.Linear(hidden, backbone.text_width))

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        return canonical_context(settings)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        shift = self.meta_net(F.normalize(image, dim=-1))  # type: ignore[arg-type]  # (B, w); not None, since needs_image
        return Prompts(text=[self.context + shift[:, None, None]], words=self.words)  # (B, 1, n, w)


@hookimpl
def depthub_methods() -> list[type[PromptMethod]]:
    return [CoCoOp]
