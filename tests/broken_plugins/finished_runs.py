"""A start from a finished run that silently becomes another start."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, DepthubError, PromptMethod, Prompts, finished_tensors


class Careless(PromptMethod):
    """Goes on from the context of another run, or from a random one if there is no such run.

    Args:
        start: a finished run with a context, `run:FOLDER`; empty: random.
    """

    runs = ("start",)

    def __init__(self, backbone: Backbone, classes: ClassSet, *, start: str = "") -> None:
        super().__init__(backbone, classes)
        context = 0.02 * torch.randn(4, backbone.text_width)
        with suppress(DepthubError):
            context = finished_tensors(start)["method.context"] if start else context
        self.context = nn.Parameter(context)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context])
