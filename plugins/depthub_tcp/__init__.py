"""TCP: a context, and deeper tokens that a small network makes of each class's frozen feature. https://arxiv.org/abs/2311.18231"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub import Backbone, ClassSet, DepthubError, Features, Preset, PromptMethod, Prompts, hookimpl, start_context, start_words

RECIPE: dict[str, Any] = {"optimizer": "adam", "lr": 0.002, "batch_size": 32, "epochs": 50}


class ClassTokens(nn.Module):
    """The network: from class features (M, d) to tokens (M, n, w)."""

    def __init__(self, dim: int, hidden: int, n_ctx: int, width: int) -> None:
        super().__init__()
        self.down, self.up, self.shape = nn.Linear(dim, hidden), nn.Linear(hidden, n_ctx * width), (n_ctx, width)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.down(features)
        tokens: Tensor = self.up(hidden * torch.sigmoid(1.702 * hidden))
        return tokens.view(len(features), *self.shape)


class TCP(PromptMethod):
    """A context shared by all classes at the input. Before one later layer of the text tower, tokens made of the normalised zero-shot
    feature of each class take its place.

    Args:
        n_ctx: number of learned tokens; ignored when ctx_init is given (its words set the number).
        ctx_init: words whose embeddings start the context, one token for each word; empty: normal, standard deviation 0.02.
        layer: of the text tower, from 0, before which the class tokens enter.
        reduction: the network has d // reduction hidden units.
        weight: weight of the pull, one minus the mean cosine of text features and zero-shot features over all classes.
        template: hand-written prompt of the zero-shot features with `{}` for the class name; empty: the data set's own for TCP.
    """

    presets = (Preset("original", {}, RECIPE), Preset("dept-repo", {}, {"optimizer": "adam", "lr": 0.002}))

    def __init__(
        self,
        backbone: Backbone,
        classes: ClassSet,
        *,
        n_ctx: int = 4,
        ctx_init: str = "",
        layer: int = 8,
        reduction: int = 4,
        weight: float = 8.0,
        template: str = "",
    ) -> None:
        super().__init__(backbone, classes)
        if not 1 <= layer < backbone.text_depth:
            raise DepthubError(
                f"TCP: layer is {layer}, expected 1 to {backbone.text_depth - 1}, a layer of the text tower behind the first"
            )
        if not 1 <= reduction <= backbone.dim:
            raise DepthubError(f"TCP: reduction is {reduction}, expected 1 to {backbone.dim}, the size of the joint space")
        self.words, self.layer, self.weight, self.template = start_words(ctx_init), layer, weight, template
        self.context = nn.Parameter(start_context(backbone, self.words, n_ctx))  # (n, w)
        self.network = ClassTokens(backbone.dim, backbone.dim // reduction, len(self.context), backbone.text_width)

    @staticmethod
    def behind(classes: ClassSet) -> str:
        """The words behind the class name in the data set's own prompt."""
        return classes.template.partition("{}")[2].removesuffix(".")

    def anchors(self, backbone: Backbone, classes: ClassSet) -> Tensor:
        """Normalised zero-shot features, (M, d)."""
        return F.normalize(backbone.encode_sentences(classes.sentences(self.template or classes.template_of("tcp"))), dim=-1)

    def prompts(self, classes: ClassSet, image: Tensor | None, *, backbone: Backbone | None = None) -> Prompts:
        assert backbone is not None, "the engine gives it"
        self.zero_shot = self.anchors(backbone, classes)
        text: Sequence[Tensor | None] = [self.context, *[None] * (self.layer - 1), self.network(self.zero_shot)]
        return Prompts(text=text, words=self.words, behind=self.behind(classes))

    def read(self, features: Features) -> Features:
        return Features(features.image, features.text, features.scale, features.classes, reference=self.zero_shot)

    def losses(self, features: Features) -> dict[str, Tensor]:
        assert features.reference is not None
        return {"knowledge": self.weight * (1 - F.cosine_similarity(features.text, features.reference, dim=-1, eps=1e-7).mean())}


@hookimpl
def depthub_methods() -> list[type[PromptMethod]]:
    return [TCP]
