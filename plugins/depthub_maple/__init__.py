"""MaPLe: deep prompts in both towers; those of the image tower are computed from those of the text tower. https://arxiv.org/abs/2210.03117"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from depthub import (
    Backbone,
    ClassSet,
    DepthubError,
    Preset,
    PromptMethod,
    Prompts,
    canonical_words,
    check_depth,
    hookimpl,
    start_context,
    start_words,
)


class MaPLe(PromptMethod):
    """Prompts for the first layers of both towers; a linear map of each layer's text prompt is its image prompt.

    Args:
        n_ctx: tokens per layer.
        depth: number of layers with prompts, the input included.
        ctx_init: words in front of the class name; the embeddings of the first `n_ctx` start the input's context, the others stay
            frozen. Empty: normal, standard deviation 0.02.
    """

    tunes_image = True
    presets = (
        Preset("original", {"depth": 3}, {"lr": 0.0026, "epochs": 2}, protocols=("CrossDataset", "DomainGeneralization")),
        Preset("original", {}, {"epochs": 5}),
    )

    def __init__(self, backbone: Backbone, classes: ClassSet, *, n_ctx: int = 2, depth: int = 9, ctx_init: str = "a photo of a") -> None:
        super().__init__(backbone, classes)
        check_depth(self, depth, min(backbone.text_depth, backbone.image_depth))
        self.words = start_words(ctx_init)
        if n_ctx < 1:
            raise DepthubError(f"MaPLe: n_ctx is {n_ctx}, expected at least 1")
        if self.words and n_ctx > len(self.words.split()):
            raise DepthubError(f"MaPLe: n_ctx is {n_ctx}, but ctx_init has {len(self.words.split())} words; give more words or none")
        start = start_context(backbone, self.words, n_ctx)[:n_ctx]
        self.couple = nn.Linear(backbone.text_width, backbone.image_width)
        deeper = [0.02 * torch.randn(n_ctx, backbone.text_width) for _ in range(depth - 1)]
        self.contexts = nn.ParameterList([start, *deeper])  # depth x (n, w)
        couple = nn.Linear(backbone.text_width, backbone.image_width)
        self.deeper_couples = nn.ModuleList(deepcopy(couple) for _ in deeper)  # equal at the start, separate parameters

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**settings, "ctx_init": canonical_words(settings["ctx_init"])}

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        couples = [self.couple, *self.deeper_couples]
        visual = [couple(context) for couple, context in zip(couples, self.contexts, strict=True)]
        return Prompts(text=list(self.contexts), image=visual, words=self.words)


@hookimpl
def depthub_methods() -> list[type[PromptMethod]]:
    return [MaPLe]
