"""Backbones that record the encodings of a method, or replay recorded text features.

A method encodes the same texts in the same order for every batch of images, so that features recorded once can stand for the text tower:

    encodings_of(tuner, images, classes).texts  ->  [(M, d), ...]  ->  with_texts(tuner, texts)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from depthub.encoding.backbone import Backbone
from depthub.training.tuner import Tuner
from depthub.types import ClassSet, Overlay, Prompts


@dataclass
class Encodings:
    """The calls that a method makes to score one batch of images.

    Args:
        texts: features of each text encoding, (M, d) or (G, M, d), not normalised, in the order of the calls.
        text_prompts: the learned prompts that sentences were encoded with, one for each call that had some.
        image_prompts: the learned tokens of each layer of the image tower, (n, w_v) each or None, likewise.
    """

    texts: list[Tensor] = field(default_factory=list)
    text_prompts: list[Prompts] = field(default_factory=list)
    image_prompts: list[Sequence[Tensor | None]] = field(default_factory=list)


@torch.no_grad()
def encodings_of(tuner: Tuner, images: Tensor, classes: ClassSet) -> Encodings:
    """The encodings of a tuner's method when it scores images.

    Args:
        tuner: trained.
        images: a few, as the method's inputs: pixels (B, 3, H, W) or features (B, d).
        classes: the M classes to tell apart.
    """
    tuner.eval()
    recording = _Recording(tuner.backbone)
    tuner.method.features(cast(Backbone, recording), images, classes)
    return recording.encodings


def with_texts(tuner: Tuner, texts: Sequence[Tensor]) -> Tuner:
    """The tuner around a backbone that encodes no text: its method's text encodings return these features, in the order
    of the calls.

    Args:
        tuner: trained, with a method of texts that do not depend on the image.
        texts: as in `Encodings`, of the classes to tell apart.
    """
    return Tuner(cast(Backbone, _Replaying(tuner.backbone, texts)), tuner.method, tuner.head).eval()


class _Recording:
    """Encodes as its backbone does, and records the calls."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone, self.encodings = backbone, Encodings()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backbone, name)

    def encode_text(self, classes: ClassSet, prompts: Prompts, overlay: Overlay | None = None) -> Tensor:
        if prompts.text:
            self.encodings.text_prompts.append(prompts)
        return self._recorded(self._backbone.encode_text(classes, prompts, overlay))

    def encode_sentences(self, sentences: Sequence[str], overlay: Overlay | None = None) -> Tensor:
        return self._recorded(self._backbone.encode_sentences(sentences, overlay))

    def encode_image(self, images: Tensor, prompts: Sequence[Tensor | None] = (), overlay: Overlay | None = None) -> Tensor:
        return self._backbone.encode_image(images, self._noted(prompts), overlay)

    def image_tokens(self, images: Tensor, prompts: Sequence[Tensor | None] = (), overlay: Overlay | None = None) -> Tensor:
        return self._backbone.image_tokens(images, self._noted(prompts), overlay)

    def _noted(self, prompts: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        if prompts:
            self.encodings.image_prompts.append(prompts)
        return prompts

    def _recorded(self, text: Tensor) -> Tensor:
        self.encodings.texts.append(text)
        return text


class _Replaying(nn.Module):
    """Encodes images as its backbone does, and replays recorded text features."""

    def __init__(self, backbone: Backbone, texts: Sequence[Tensor]) -> None:
        super().__init__()
        self.backbone = backbone
        for place, text in enumerate(texts):
            self.register_buffer(f"text_{place}", text.detach().clone(), persistent=False)
        self._number, self._place = len(texts), 0  # each batch makes the same calls

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("backbone"), name)

    def encode_text(self, classes: ClassSet, prompts: Prompts, overlay: Overlay | None = None) -> Tensor:
        return self._next()

    def encode_sentences(self, sentences: Sequence[str], overlay: Overlay | None = None) -> Tensor:
        return self._next()

    def _next(self) -> Tensor:
        text: Tensor = getattr(self, f"text_{self._place}")
        self._place = (self._place + 1) % self._number
        return text
