"""TCP: a context, and deeper tokens that a small network makes of each class's frozen feature. https://arxiv.org/abs/2311.18231"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub import (
    Backbone,
    ClassSet,
    DepthubError,
    Features,
    Preset,
    PromptMethod,
    Prompts,
    canonical_context,
    hookimpl,
    start_context,
    start_words,
)

RECIPE: dict[str, Any] = {"optimizer": "adam", "lr": 0.002, "batch_size": 32, "epochs": 50}


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
        layers, dim = backbone.text_depth, backbone.dim
        if not 1 <= layer < layers or not 1 <= reduction <= dim:
            raise DepthubError(f"TCP: layer is {layer} and reduction {reduction}, expected 1 to {layers - 1} and 1 to {dim}")
        self.words, self.layer, self.weight, self.template = start_words(ctx_init), layer, weight, template
        self.context = nn.Parameter(start_context(backbone, self.words, n_ctx))  # (n, w)
        self.down, self.up = nn.Linear(dim, dim // reduction), nn.Linear(dim // reduction, self.context.numel())

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        return canonical_context(settings)

    @staticmethod
    def around(classes: ClassSet) -> tuple[str, str]:
        """Frozen words in front of the class name and behind it: the data set's own for TCP; else those behind it in its prompt."""
        sentence = dict(classes.templates).get("tcp_context", "{}" + classes.template.partition("{}")[2])
        front, _, behind = sentence.removesuffix(".").partition("{}")
        return front.strip(), behind

    def prompts(self, classes: ClassSet, image: Tensor | None, *, backbone: Backbone | None = None) -> Prompts:
        assert backbone is not None, "the engine gives it"
        sentences = classes.sentences(self.template or classes.template_of("tcp"))
        self.zero_shot = F.normalize(backbone.encode_sentences(sentences), dim=-1)  # (M, d)
        hidden = self.down(self.zero_shot)
        of_classes = self.up(hidden * torch.sigmoid(1.702 * hidden)).view(-1, *self.context.shape)  # (M, n, w)
        text: Sequence[Tensor | None] = [self.context, *[None] * (self.layer - 1), of_classes]
        front, behind = self.around(classes)
        words = f"{self.words or ' '.join('X' * len(self.context))} {front}" if front else self.words
        return Prompts(text=text, words=words, behind=behind)

    def read(self, features: Features) -> Features:
        return Features(features.image, features.text, features.scale, features.classes, reference=self.zero_shot)

    def losses(self, features: Features) -> dict[str, Tensor]:
        assert features.reference is not None
        return {"knowledge": self.weight * (1 - F.cosine_similarity(features.text, features.reference, dim=-1, eps=1e-7).mean())}


@hookimpl
def depthub_methods() -> list[type[PromptMethod]]:
    return [TCP]
