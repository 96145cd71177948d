"""Methods: a method turns images and classes into features; a prompt method makes only the prompts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub.errors import DepthubError
from depthub.spec import Preset
from depthub.types import ClassSet, Features, Prompts

if TYPE_CHECKING:
    from depthub.encoding.backbone import Backbone


class Method(nn.Module, ABC):
    """Gives the features that a head reads. It never classifies or trains.

    A subclass is named by its class's name. Its constructor takes `backbone` and `classes` first and its own settings as keywords, each
    with a type and a default that JSON has; their lines under `Args:` in the class's docstring are the documentation of its options. It
    calls `super().__init__` before it assigns a parameter. Tuned tensors are `nn.Parameter`s that require a gradient; other tensors that
    change in training are persistent buffers; nothing else outlives an interruption. Start values come from torch's global generator,
    which the run has seeded; random numbers in training come from the method's own generator. `docs/contract.md` explains each rule.

    Prompts are a method's simplest means, see `PromptMethod`; weights inside the towers are an `Overlay`, learned tensors that the backbone
    puts in the place of its own for one call.

    Args:
        backbone: the frozen model. The method must not hold it as a part: tuned and frozen modules stay apart.
        classes: the M classes of the training.

    Attributes:
        needs_image: text features depend on the image: (B, M, d).
        tunes_image: the image tower is tuned, hence image features are not computed once: `features` is called with pixels.
        adapts_image: the image features handed on are computed from the frozen ones, which are computed once: (B, d).
        first_image_layer: with `tunes_image`, the first layer of the image tower that changes; set in the constructor. Training images may
            then come as the tokens before that layer, encoded in large batches, which `backbone.encode_image` takes like pixels.
        views: random views of each training image in a step besides the plain one: training images come as (B, 1 + views, ...), the plain
            one first. 0: one image, as the recipe's augmentation says.
        prepared_views: random views of each training image that `prepare` is given, (N, V, ...); 0: the plain image, (N, ...).
        runs: names of the settings that take a finished run, `run:FOLDER`: its tuned tensors are `finished_tensors(value)`.
        stages: shares of the training after which a new stage begins, and the rates of a schedule by steps start anew: (0.6,) for two.
        head_weight: weight of the head's loss beside the method's own.
        lr_scales: learning rates relative to the run's, by the name of a parameter or of a part that holds parameters.
        presets: published values other than the defaults; the first that fits a run applies.
        added: settings that came after the first results, with the values that they stood for until then, which are their defaults: a spec
            does not mention them at these values, so that earlier run ids stay.
    """

    needs_image: ClassVar[bool] = False  # text features depend on the image
    tunes_image: ClassVar[bool] = False  # the image tower is tuned, hence features cannot be computed once
    adapts_image: ClassVar[bool] = False  # hands on other image features, computed from the frozen ones
    runs: ClassVar[tuple[str, ...]] = ()  # settings that name finished runs
    views: ClassVar[int] = 0  # random views of a training image, besides the plain one
    first_image_layer: int = 0  # of those that change
    prepared_views: int = 0
    stages: Sequence[float] = ()
    head_weight: float = 1.0
    lr_scales: Mapping[str, float] = MappingProxyType({})
    presets: ClassVar[tuple[Preset, ...]] = ()  # published values other than the defaults
    added: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__()

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The settings in a canonical form: one of all forms, or values of an unused setting, that give the same numbers.

        Args:
            settings: all of the constructor's, by name.
        """
        return settings

    @abstractmethod
    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        """Features of B images and M classes, in training and in testing; called on every batch.

        `backbone.encode_image` takes either form of `images`: pixels it encodes, features it passes on. `backbone.encode_text` gives the
        class features (M, d). Gradients flow through both to their prompts; the backbone's weights do not change. `features` must not read
        labels, change the backbone, or depend on the other images of the batch.

        Args:
            backbone: the frozen model.
            images: pixels (B, 3, H, W), normalised for the backbone; or, unless `tunes_image`, image features (B, d), not
                normalised, encoded before.
            classes: the M classes to tell apart, not always the training's: new ones, some of them, or another order.

        Returns:
            The features, see `Features`, over `classes`.

        Raises:
            DepthubError: for classes that the method cannot name; better from `check`, before any training.
        """

    def training_features(self, backbone: Backbone, images: Tensor, classes: ClassSet, labels: Tensor) -> Features:
        """Features for a training step: those of `features`, unless they depend on the labels or are of some classes only.

        Args:
            backbone, images, classes: as in `features`, of the training.
            labels: (B,), indices into `classes`.

        Returns:
            The features over `classes`, or over some of them (`classes.take(rows)`) with every label's among these: heads then compare
            these alone.
        """
        return self.features(backbone, images, classes)

    def prepare(self, backbone: Backbone, images: Tensor, labels: Tensor) -> None:
        """Called once with the whole training set before the first step, and before a checkpoint is read: for closed forms and caches.

        What it computes is a parameter or a persistent buffer. One whose shape depends on the training set starts in the constructor as
        an empty tensor, such as `torch.empty(0, d)`.

        Args:
            backbone: the frozen model.
            images: N images, (N, d) or (N, 3, H, W) as in `features`; (N, V, ...) with `prepared_views`.
            labels: (N,), indices into the training classes.
        """

    def before_step(self, step: int, steps: int) -> None:
        """Called in training before each step: for methods that train in stages.

        Args:
            step: of the whole training, from 0.
            steps: of the whole training.
        """

    def losses(self, features: Features) -> dict[str, Tensor]:
        """Regularisers to add to the head's loss as they are, in training only.

        Args:
            features: the result of `training_features` for this batch, in full precision, with the `labels` of the images.

        Returns:
            Losses by name, each a mean over the batch, (); the name "head" is the head's.
        """
        return {}

    def after_epoch(self, epoch: int, epochs: int) -> None:
        """Called in training after each epoch, before a checkpoint is written. State that lasts from epoch to epoch is a persistent buffer.

        Args:
            epoch: epochs done, 1 to `epochs`.
            epochs: of the whole training. Evaluation uses the parameters after the last.
        """

    def check(self, classes: ClassSet) -> None:
        """Refuse classes that this method cannot name, before any training.

        Raises:
            DepthubError: if it cannot.
        """


class PromptMethod(Method):
    """Makes prompts: encoding is the backbone's, scoring the head's. Runs of it that differ in seed, head, settings or learning rate train
    as one.
    """

    _reads_backbone: ClassVar[bool] = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls._reads_backbone = "backbone" in signature(cls.prompts).parameters

    @abstractmethod
    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        """The current prompts, called on every batch; see `Prompts` for their shapes.

        An implementation with a further parameter named `backbone` is given the frozen model.

        Args:
            classes: the M classes to tell apart, not always the training's.
            image: features (B, d), not normalised, if `needs_image`; else None.
        """

    def read(self, features: Features) -> Features:
        """What is done with the encoded features, for example an adapter behind them. The mean of several prompts a class is the default.

        Args:
            features: image features (B, d); text features (M, d), or (B, M, d) with `needs_image`, or else (K, M, d) for prompts in K
                groups.

        Returns:
            The features with text features (M, d) or (B, M, d).
        """
        if features.text.ndim == 2 or self.needs_image:
            return features
        return replace(features, text=F.normalize(features.text, dim=-1).mean(dim=0))

    @final
    def prompts_for(self, backbone: Backbone, classes: ClassSet, image: Tensor | None) -> Prompts:
        """The current prompts, with the frozen model at hand if `prompts` has a parameter for it; arguments as there."""
        further = {"backbone": backbone} if self._reads_backbone else {}
        return self.prompts(classes, image, **further)

    @final
    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        image = backbone.encode_image(images) if self.needs_image else None
        prompts = self.prompts_for(backbone, classes, image)
        backbone.check_prompts(classes, prompts)
        if image is None:
            image = backbone.encode_image(images, prompts.image)
        return self.read(Features(image, backbone.encode_text(classes, prompts), backbone.scale, classes))


def start_context(backbone: Backbone, words: str, *shape: int) -> Tensor:
    """Start values of a context.

    Args:
        backbone: embeds the words.
        words: give one token per word, (number of words, w). If a word has several tokens, the last ones of the context are not among
            these: they stay frozen behind it, as in the published code.
        shape: without words, of random tokens (*shape, w), normal with standard deviation 0.02.

    Raises:
        DepthubError: for no token, or more than the text tower's context length.
    """
    number = len(words.split()) if words else shape[-1]
    if not 1 <= number <= backbone.context_length:
        raise DepthubError(f"a context of {number} tokens, expected 1 to {backbone.context_length}, what the text tower reads: shorten it")
    if words:
        return backbone.embed(words)[: len(words.split())]
    return 0.02 * torch.randn(*shape, backbone.text_width)


def start_words(ctx_init: str) -> str:
    """The words of a setting `ctx_init`: underscores become blanks, since published configurations write "a_photo_of_a"."""
    return ctx_init.replace("_", " ")


def check_depth(method: Method, depth: int, layers: int) -> None:
    """Check the number of layers with prompts.

    Args:
        method: the method, for the message.
        depth: number of layers with prompts, the input included.
        layers: number of layers of the tower; of the shorter one for prompts in both.

    Raises:
        DepthubError: unless the depth is 1 to `layers`.
    """
    if not 1 <= depth <= layers:
        raise DepthubError(f"{type(method).__name__}: depth is {depth}, expected 1 to {layers}, the layers that can have prompts")


def check_first_layer(method: Method, backbone: Backbone, first: int, lowest: int = 0) -> None:
    """Check the number of the first layer of both towers that a method changes.

    Args:
        method: the method, for the message.
        backbone: the frozen model.
        first: number of the layer, from 0.
        lowest: the least number that the method allows.

    Raises:
        DepthubError: unless both towers have that layer, and it is at least `lowest`.
    """
    last = min(backbone.text_depth, backbone.image_depth) - 1
    if not lowest <= first <= last:
        raise DepthubError(f"{type(method).__name__}: first_layer is {first}, expected {lowest} to {last}, a layer of both towers")


def deep_prompts(method: Method, depth: int, layers: int, n_ctx: int, width: int, start: Tensor | None = None) -> nn.ParameterList:
    """Learned tokens for the first layers of a tower: `depth` parameters (n_ctx, width), normal with standard deviation 0.02.

    Args:
        method: the method, for messages.
        depth: number of layers with prompts, the input included.
        layers: number of layers of the tower; of the shorter one for prompts in both.
        n_ctx: tokens per layer.
        width: of the tower.
        start: embedded words (n, width); the first `n_ctx` start the input's prompt.

    Raises:
        DepthubError: if the tower has fewer layers, or `start` fewer tokens.
    """
    check_depth(method, depth, layers)
    if start is not None and len(start) < n_ctx:
        name = type(method).__name__
        raise DepthubError(f"{name}: {n_ctx} tokens per layer, but ctx_init gives {len(start)}; give more words or none")
    prompts = [0.02 * torch.randn(n_ctx, width) for _ in range(depth)]
    if start is not None:
        prompts[0] = start[:n_ctx]
    return nn.ParameterList(prompts)


def canonical_words(words: str) -> str:
    """Words in the tokenizer's form: in lower case, one blank between two."""
    return " ".join(start_words(words).lower().split())


def canonical_context(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings `n_ctx` and `ctx_init` of a context whose start words set its length, see `Method.canonical`."""
    words = canonical_words(settings["ctx_init"])
    return {**settings, "ctx_init": words, "n_ctx": len(words.split()) if words else settings["n_ctx"]}
