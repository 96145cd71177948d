"""KgCoOp: class features stay near those of hand-written prompts. https://arxiv.org/abs/2303.13283"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from depthub import (
    Backbone,
    ClassSet,
    Features,
    Preset,
    PromptMethod,
    Prompts,
    canonical_context,
    hookimpl,
    start_context,
    start_words,
    trained_rows,
)


class KgCoOp(PromptMethod):
    """A context shared by all classes, with a pull towards the zero-shot class features.

    Args:
        n_ctx: number of learned tokens; ignored when ctx_init is given (its words set the number).
        ctx_init: words whose embeddings start the context, one token for each word; empty: normal, standard deviation 0.02.
        weight: weight of the pull, one minus the mean cosine over all classes; 2 in the DePT paper's tables, 8 in KgCoOp's own repository.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own.
    """

    presets = (Preset("original", {"weight": 8.0}, {"lr": 0.002, "batch_size": 128, "epochs": 100}),)
    anchors: Tensor  # (M, d), not normalised

    def __init__(
        self,
        backbone: Backbone,
        classes: ClassSet,
        *,
        n_ctx: int = 4,
        ctx_init: str = "a photo of a",
        weight: float = 2.0,
        template: str = "",
    ) -> None:
        super().__init__(backbone, classes)
        self.words, self.weight, self.classes = start_words(ctx_init), weight, classes
        self.context = nn.Parameter(start_context(backbone, self.words, n_ctx))  # (n, w)
        sentences = classes.sentences(template or classes.template_of("kgcoop"))
        self.register_buffer("anchors", backbone.encode_sentences(sentences), persistent=False)

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        return canonical_context(settings)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context], words=self.words)

    def losses(self, features: Features) -> dict[str, Tensor]:
        anchors = self.anchors[trained_rows(features.classes, self.classes)]
        return {"knowledge": self.weight * (1 - F.cosine_similarity(features.text, anchors, dim=-1, eps=1e-7).mean())}


@hookimpl
def depthub_methods() -> list[type[PromptMethod]]:
    return [KgCoOp]
