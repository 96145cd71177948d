"""What a method is: it turns images and classes into features. A prompt method only makes the prompts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, final

import torch
from torch import Tensor, nn

from depthub.errors import DepthubError
from depthub.spec import Preset
from depthub.types import ClassSet, Features, Prompts

if TYPE_CHECKING:
    from depthub.encoding.backbone import Backbone


class Method(nn.Module, ABC):
    """Gives the features that a head reads. It never classifies or trains.

    A subclass is named by its class's name. Its constructor takes `backbone` and `classes` first and its own settings as keywords, each
    with a type and a default that JSON has; their lines under `Args:` in the class's docstring are the documentation of its options. It
    calls `super().__init__` before it assigns a parameter. What is tuned is an `nn.Parameter` that requires a gradient; what training
    changes otherwise is a persistent buffer; nothing else outlives an interruption. Start values come from torch's global generator, which
    the run has seeded; chance in training comes from a generator of the method's own. `docs/contract.md` explains each rule.

    Most methods are a `PromptMethod`: only these train several runs as one.

    Args:
        backbone: the frozen model. It is not kept as a part of the method: what is tuned stays apart from what is frozen.
        classes: the M classes it is trained on.

    Attributes:
        needs_image: text features depend on the image: (B, M, d).
        tunes_image: image features change in training, hence are not computed once: `features` gets pixels.
        presets: published values other than the defaults; the first that fits a run is taken.
    """

    needs_image: ClassVar[bool] = False  # text features depend on the image
    tunes_image: ClassVar[bool] = False  # image features change in training, hence cannot be computed once
    presets: ClassVar[tuple[Preset, ...]] = ()  # published values other than the defaults; the first that applies is taken

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__()

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The settings in the spelling that equal runs share: where two spellings or an unused value give the same numbers, one of them.

        Args:
            settings: all of the constructor's, by name.
        """
        return settings

    @abstractmethod
    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        """Features of B images and M classes, in training and in testing; called on every batch.

        `backbone.encode_image` takes either form of `images`: pixels it encodes, features it passes on. `backbone.encode_text` gives the
        class features (M, d). Gradients flow through both to whatever prompts they are given; the backbone's own weights stay as they are.
        Nothing here may read labels, change the backbone, or depend on which images share a batch.

        Args:
            backbone: encodes.
            images: pixels (B, 3, H, W), normalised as the backbone reads them; or, unless `tunes_image`, image features (B, d), not
                normalised, encoded before.
            classes: the M classes to tell apart, which need not be those of the training: new ones, some of them, or another order.

        Returns:
            The features as `Features` says, over `classes` as they were given.

        Raises:
            DepthubError: for classes that the method cannot name; better from `check`, before any training.
        """

    def losses(self, features: Features) -> dict[str, Tensor]:
        """Regularisers to add to the head's loss, unweighted by anybody else; in training only.

        Args:
            features: what `features` gave for this batch, in full precision.

        Returns:
            Losses by name, each a mean over the batch, (); the name "head" is the head's.
        """
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
    """Makes prompts and nothing else: encoding is the backbone's, scoring the head's. Runs of it that differ in seed, head, settings or
    learning rate train as one.
    """

    @abstractmethod
    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        """The current prompts, called on every batch; see `Prompts` for their shapes.

        Args:
            classes: the M classes they are for, which need not be those of the training.
            image: features (B, d), not normalised, if `needs_image`; else None.
        """

    @final
    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        image = backbone.encode_image(images) if self.needs_image else None
        prompts = self.prompts(classes, image)
        backbone.check_prompts(classes, prompts)
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

    Raises:
        DepthubError: for no token, or more than the text tower reads.
    """
    number = len(words.split()) if words else shape[-1]
    if not 1 <= number <= backbone.context_length:
        raise DepthubError(f"a context of {number} tokens, expected 1 to {backbone.context_length}, what the text tower reads: shorten it")
    if words:
        return backbone.embed(words)[: len(words.split())]
    return 0.02 * torch.randn(*shape, backbone.text_width)


def canonical_words(words: str) -> str:
    """Words as the tokenizer reads them: in lower case, one blank between two."""
    return " ".join(words.replace("_", " ").lower().split())


def canonical_context(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings `n_ctx` and `ctx_init` of a context whose start words set its length, see `Method.canonical`."""
    words = canonical_words(settings["ctx_init"])
    return {**settings, "ctx_init": words, "n_ctx": len(words.split()) if words else settings["n_ctx"]}
