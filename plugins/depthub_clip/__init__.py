"""Zero-shot CLIP: hand-written prompts and the image-text matching head. https://arxiv.org/abs/2103.00020"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from depthub import ITM, Backbone, ClassSet, DepthubError, Features, Head, Method, hookimpl


class ZeroShot(Method):
    """Hand-written prompts; nothing is tuned.

    Args:
        templates: sentences with `{}` for the class name; several are averaged after normalisation. Empty: the data set's own.
        texts: the run's class texts in place of templates: the mean of a class's normalised features.
    """

    added: ClassVar[Mapping[str, Any]] = {"texts": False}

    def __init__(self, backbone: Backbone, classes: ClassSet, *, templates: list[str] | None = None, texts: bool = False) -> None:
        super().__init__(backbone, classes)
        self.templates, self.texts = templates or [""], texts

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        return settings if any(settings["templates"] or ()) and not settings["texts"] else {**settings, "templates": None}

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = _of_texts(backbone, classes) if self.texts else self._of_templates(backbone, classes)
        return Features(backbone.encode_image(images), text, backbone.scale, classes)

    def check(self, classes: ClassSet) -> None:
        if self.texts and not classes.texts:
            raise DepthubError("ZeroShot: texts is true, but the run has no texts of its classes; give a file with --texts")

    def _of_templates(self, backbone: Backbone, classes: ClassSet) -> Tensor:
        """(M, d)."""
        text = [backbone.encode_sentences(classes.sentences(template)) for template in self.templates]
        return text[0] if len(text) == 1 else torch.stack([F.normalize(t, dim=-1) for t in text]).mean(dim=0)


def _of_texts(backbone: Backbone, classes: ClassSet) -> Tensor:
    """The mean of the normalised features of each class's texts, (M, d)."""
    text = F.normalize(backbone.encode_sentences([text for of_class in classes.texts for text in of_class]), dim=-1)
    return torch.stack([of_class.mean(dim=0) for of_class in torch.split(text, [len(of_class) for of_class in classes.texts])])


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [ZeroShot]


@hookimpl
def depthub_heads() -> list[type[Head]]:
    return [ITM]
