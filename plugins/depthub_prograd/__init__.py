"""ProGrad: learning without contradiction to the zero-shot predictions. https://arxiv.org/abs/2205.14865"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from depthub import (
    ITM,
    Backbone,
    ClassSet,
    DepthubError,
    Features,
    Preset,
    PromptMethod,
    Prompts,
    hookimpl,
    start_context,
    start_words,
    trained_rows,
)
from depthub_prograd.gradient import TwoReaders

RECIPE: dict[str, Any] = {"lr": 0.002, "batch_size": 32}
OF_TEMPLATE = "<template>"  # start words: those of the zero-shot prompt
START: dict[str, Any] = {"ctx_init": OF_TEMPLATE}
HARD = ("oxford_flowers", "dtd", "eurosat")  # a weaker correction for 8 and 16 shots


class ProGrad(PromptMethod):
    """A context shared by all classes. The part of the head's gradient that opposes the gradient of a second loss, the distance from the
    zero-shot predictions, is removed; the second loss has no other influence.

    Args:
        n_ctx: number of learned tokens.
        ctx_init: words whose embeddings start the last tokens, the others start at zero, as published. "<template>": the words before the
            class name in the prompt of the zero-shot predictions, as published; empty: all normal, standard deviation 0.02.
        weight: share of the opposing part that is removed, the paper's lambda: 1 all of it, 0 nothing. The published code has 0.8
            for three data sets with 8 and 16 shots.
        temperature: temperature of both predictions in the second loss.
        template: hand-written prompt of the zero-shot predictions with `{}` for the class name; empty: the data set's own
            for ProGrad.
    """

    presets = (
        Preset("original", START, RECIPE | {"epochs": 50}, protocols=("BaseToNew",), data=("imagenet",)),
        Preset("original", START | {"weight": 0.8}, RECIPE | {"epochs": 100}, protocols=("BaseToNew",), shots=(8, 16), data=HARD),
        Preset("original", START, RECIPE | {"epochs": 100}, protocols=("BaseToNew",)),
        Preset("original", START, RECIPE | {"epochs": 50}, protocols=("CrossDataset", "DomainGeneralization")),
        Preset("original", START, RECIPE | {"epochs": 50}, shots=(1,)),
        Preset("original", START, RECIPE | {"epochs": 100}, shots=(2, 4)),
        Preset("original", START | {"weight": 0.8}, RECIPE | {"epochs": 200}, shots=(8, 16), data=HARD),
        Preset("original", START, RECIPE | {"epochs": 200}),
    )
    anchors: Tensor  # (M, d), not normalised

    def __init__(
        self,
        backbone: Backbone,
        classes: ClassSet,
        *,
        n_ctx: int = 16,
        ctx_init: str = "a photo of a",
        weight: float = 1.0,
        temperature: float = 1.0,
        template: str = "",
    ) -> None:
        super().__init__(backbone, classes)
        template = template or classes.template_of("prograd")
        words = _before_name(template) if ctx_init == OF_TEMPLATE else start_words(ctx_init).split()
        if n_ctx < max(len(words), 1):
            raise DepthubError(
                f"ProGrad: n_ctx is {n_ctx}, expected at least {max(len(words), 1)}, the words of ctx_init; raise it or give fewer words"
            )
        self.words = " ".join(["X"] * (n_ctx - len(words)) + words) if words else ""  # as long as the context
        start = start_context(backbone, " ".join(words), n_ctx)
        self.context = nn.Parameter(F.pad(start, (0, 0, n_ctx - len(start), 0)))  # (n, w)
        self.classes, self.weight, self.temperature = classes, weight, temperature
        self.matching = ITM(backbone.dim, classes)
        self.register_buffer("anchors", backbone.encode_sentences(classes.sentences(template)), persistent=False)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        context = TwoReaders.apply(self.context, self.weight)[:, None] if self.training else self.context  # (2, 1, n, w), or (n, w)
        return Prompts(text=[context], words=self.words)

    def read(self, features: Features) -> Features:
        return replace(features, text=features.text[0], reference=features.text[1]) if self.training else features

    def losses(self, features: Features) -> dict[str, Tensor]:
        if features.reference is None:
            return {}
        anchors = self.anchors[trained_rows(features.classes, self.classes)]
        zero_shot, current = (self.matching(replace(features, text=text)) / self.temperature for text in (anchors, features.reference))
        return {"zero_shot": self.temperature**2 * F.cross_entropy(current, zero_shot.softmax(dim=-1))}


def _before_name(template: str) -> list[str]:
    """The words of a prompt before the class name."""
    words = start_words(template.partition("{}")[0]).split()
    if not words:
        raise DepthubError(f"ProGrad: the template {template!r} has no words before the class name; name start words with ctx_init")
    return words


@hookimpl
def depthub_methods() -> list[type[PromptMethod]]:
    return [ProGrad]
