"""Zero-shot CLIP: hand-written prompts and the image-text matching head. https://arxiv.org/abs/2103.00020"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from depthub import ITM, Backbone, ClassSet, Features, Head, Method, hookimpl


class ZeroShot(Method):
    """Hand-written prompts; nothing is tuned.

    Args:
        templates: sentences with `{}` for the class name; several are averaged after normalisation. Empty: the data set's own.
    """

    def __init__(self, backbone: Backbone, classes: ClassSet, *, templates: list[str] | None = None) -> None:
        super().__init__(backbone, classes)
        self.templates = templates or [""]

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        return settings if any(settings["templates"] or ()) else {**settings, "templates": None}

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = [backbone.encode_sentences(classes.sentences(template)) for template in self.templates]
        mean = text[0] if len(text) == 1 else torch.stack([F.normalize(t, dim=-1) for t in text]).mean(dim=0)
        return Features(backbone.encode_image(images), mean, backbone.scale, classes)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [ZeroShot]


@hookimpl
def depthub_heads() -> list[type[Head]]:
    return [ITM]
