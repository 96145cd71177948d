"""What a method is: it turns images and classes into features. A prompt method only makes the prompts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, final

import torch
from torch import Tensor, nn

from depthub.spec import Preset
from depthub.types import ClassSet, Features, Prompts

if TYPE_CHECKING:
    from depthub.backbone import Backbone


class Method(nn.Module, ABC):
    """Gives the features that a head reads. It never classifies or trains.

    A subclass's constructor takes `backbone` and `classes` first and its own settings as keywords.

    Args:
        backbone: the frozen model. It is not kept as a part of the method: what is tuned stays apart from what is frozen.
        classes: the classes it is trained on.
    """

    needs_image: ClassVar[bool] = False  # text features depend on the image
    tunes_image: ClassVar[bool] = False  # image features change in training, hence cannot be computed once
    presets: ClassVar[tuple[Preset, ...]] = ()  # published values other than the defaults; the first that applies is taken

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__()

    @abstractmethod
    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        """Features of B images and M classes.

        Args:
            backbone: encodes.
            images: pixels (B, 3, H, W), or, unless `tunes_image`, image features (B, d) encoded before.
            classes: the M classes to tell apart.
        """

    def losses(self, features: Features) -> dict[str, Tensor]:
        """Regularisers, each (), to add to the head's loss, by name."""
        return {}

    def after_epoch(self, epoch: int, epochs: int) -> None:
        """Called in training after each epoch, before a checkpoint is written. What it keeps from epoch to epoch is a persistent buffer.

        Args:
            epoch: epochs done, 1 to `epochs`.
            epochs: of the whole training. What the parameters are after the last is what evaluation reads.
        """

    def check(self, classes: ClassSet) -> None:
        """Refuse classes that this method cannot name, before any training.

        Raises:
            DepthubError: if it cannot.
        """


class PromptMethod(Method):
    """Makes prompts and nothing else."""

    @abstractmethod
    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        """The current prompts.

        Args:
            classes: the M classes they are for.
            image: features (B, d), not normalised, if `needs_image`; else None.
        """

    @final
    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        image = backbone.encode_image(images) if self.needs_image else None
        prompts = self.prompts(classes, image)
        if image is None:
            image = backbone.encode_image(images, prompts.image)
        return Features(image, backbone.encode_text(classes, prompts), backbone.scale, classes)


def start_context(backbone: Backbone, words: str, *shape: int) -> Tensor:
    """Where a context starts.

    Args:
        backbone: embeds the words.
        words: give one token for each word, (number of words, w). Of a word of several tokens the later ones are left to stand frozen
            behind the context, as in the published code.
        shape: without words, of random tokens (*shape, w), normal with standard deviation 0.02.
    """
    if words:
        return backbone.embed(words)[: len(words.split())]
    return 0.02 * torch.randn(*shape, backbone.text_width)
