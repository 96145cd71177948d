"""Skip Tuning: whole layers of both towers are tuned behind a frozen beginning, on some of the classes at a time; and full fine-tuning.

Wu et al., CVPR 2025, https://arxiv.org/abs/2412.11509. Defaults are the published code's.
"""

from __future__ import annotations

from math import ceil
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from depthub import Backbone, ClassSet, DepthubError, Features, Method, Preset, TunedWeights, check_first_layer, elementwise_max, hookimpl

LARGE = ("imagenet", "sun397", "food101")  # a quarter of the epochs
BATCHES = {"batch_size": 4, "batches": "single_class"}
FINE = {"lr": 1e-5, "batch_size": 4, "warmup_epochs": 0}
NEW = BATCHES | {"lr": 2e-5, "warmup_epochs": 1, "warmup_lr": 1e-6}
OTHER_DATA = BATCHES | {"lr": 1e-5, "warmup_epochs": 1, "warmup_lr": 1e-8, "epochs": 5}
ALL_CLASSES = BATCHES | {"lr": 1e-5, "warmup_epochs": 0}
OWN = 1e4  # similarity of an image to its own class
FARTHEST = 5.0  # where the density of the last rank is taken; that of the first beyond those always kept is taken at 0


class FinetuneCLIP(Method):
    """Full fine-tuning: every layer of both towers, their last normalisations and projections; embeddings and the scale stay frozen.

    Args:
        template: hand-written prompt with `{}` for the class name; empty: the data set's own for Skip Tuning.
        image_lr_scale: learning rate of the image tower relative to that of the text tower.
    """

    tunes_image = True
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("original", {}, FINE | {"epochs": 4}, protocols=("CrossDataset", "DomainGeneralization")),
        Preset("original", {}, FINE | {"epochs": 10}),
        Preset("dept-repo", {}, FINE),
    )

    def __init__(self, backbone: Backbone, classes: ClassSet, *, template: str = "", image_lr_scale: float = 1.0) -> None:
        super().__init__(backbone, classes)
        self._tune(backbone, 0, template, image_lr_scale)

    def _tune(self, backbone: Backbone, first_layer: int, template: str, image_lr_scale: float) -> None:
        check_first_layer(self, backbone, first_layer)
        self.text = TunedWeights(backbone, "text", range(first_layer, backbone.text_depth), end=True)
        self.image = TunedWeights(backbone, "image", range(first_layer, backbone.image_depth), end=True)
        self.template, self.first_image_layer, self.lr_scales = template, first_layer, {"image": image_lr_scale}

    def sentences(self, classes: ClassSet) -> list[str]:
        """The hand-written prompts of M classes."""
        return classes.sentences(self.template or classes.template_of("skip_tuning"))

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_sentences(self.sentences(classes), self.text.overlay())
        return Features(backbone.encode_image(images, (), self.image.overlay()), text, backbone.scale, classes)


class SkipTuning(FinetuneCLIP):
    """Layer-wise skipping: what comes before `first_layer` is frozen, hence computed once. Class-wise skipping: a step compares the classes
    of its images and those most like them, as the frozen class features tell; of the others some, the fewer the less alike they are.

    Args:
        first_layer: first layer of both towers that is tuned, from 0.
        top_ratio: share of the classes that are always kept, the most similar ones; above 1 their number; 1: all take part in every step.
        max_top: most classes that are always kept.
        decay: scale of the exponential density by which the others are kept.
        mask: places in the order of similarity that are kept are drawn "once", as published, or anew in "every_step".
        density: "scaled" to 1 at the first of the others and 0 at the last, as published, where a single other class is never kept; or
            "plain", the exponential itself.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own for Skip Tuning.
        image_lr_scale: learning rate of the image tower relative to that of the text tower.
    """

    presets = (
        Preset("original", {}, NEW | {"epochs": 5}, protocols=("BaseToNew",), data=LARGE),
        Preset("original", {}, NEW | {"epochs": 20}, protocols=("BaseToNew",)),
        Preset("original", {"image_lr_scale": 0.1}, OTHER_DATA, protocols=("CrossDataset", "DomainGeneralization")),
        Preset("original", {"image_lr_scale": 1.0}, ALL_CLASSES | {"epochs": 10}, data=LARGE),
        Preset("original", {"image_lr_scale": 1.0}, ALL_CLASSES | {"epochs": 40}),
        Preset("dept-repo", {}, NEW),
    )
    prototypes: Tensor  # (M, d), normalised
    kept: Tensor  # (M,), whether a place in the order of similarity is kept

    def __init__(
        self,
        backbone: Backbone,
        classes: ClassSet,
        *,
        first_layer: int = 6,
        top_ratio: float = 0.5,
        max_top: int = 50,
        decay: float = 0.3,
        mask: Literal["once", "every_step"] = "once",
        density: Literal["scaled", "plain"] = "scaled",
        template: str = "",
        image_lr_scale: float = 0.25,
    ) -> None:
        Method.__init__(self, backbone, classes)
        if top_ratio <= 0 or decay <= 0 or max_top < 1:
            raise DepthubError(f"SkipTuning: top_ratio {top_ratio}, decay {decay} and max_top {max_top}, expected positive numbers")
        self._tune(backbone, first_layer, template, image_lr_scale)
        self.decay, self.mask, self.density = decay, mask, density
        number = len(classes)
        self.top = min(int(top_ratio) if top_ratio > 1 else ceil(top_ratio * number), max_top, number) if top_ratio != 1 else number
        self.register_buffer("prototypes", F.normalize(backbone.encode_sentences(self.sentences(classes)), dim=-1), persistent=False)
        self.register_buffer("kept", self.draw(number), persistent=False)

    def chances(self, number: int) -> Tensor:
        """The probability that each place in the order of similarity is kept, (M,): 1 for the first `top`."""
        others = number - self.top
        chance = torch.exp(-torch.linspace(0, FARTHEST, others, dtype=torch.float64) / self.decay)
        if self.density == "scaled" and others:
            last = chance[-1].clone()
            chance = (chance - last) / (1 - last) if others > 1 else torch.zeros_like(chance)
        return torch.cat([torch.ones(self.top, dtype=torch.float64), chance])

    def draw(self, number: int) -> Tensor:
        """Which places in the order of similarity are kept, (M,)."""
        return torch.rand(number, dtype=torch.float64) < self.chances(number)

    @torch.no_grad()
    def similarity(self, image: Tensor, labels: Tensor) -> Tensor:
        """Each class's similarity to the batch, (M,), from image features (B, d) and labels (B,)."""
        cosines = F.normalize(image, dim=-1) @ self.prototypes.to(image.dtype).T
        return elementwise_max(cosines.scatter(1, labels[:, None], OWN).amax(dim=0))

    def chosen(self, similarity: Tensor) -> list[int]:
        """The classes that take part in a step, as sorted rows, from their similarity to the batch."""
        kept = self.draw(len(similarity)).to(similarity.device) if self.mask == "every_step" else self.kept
        order = similarity.argsort(descending=True, stable=True)
        return sorted(order[kept | (similarity[order] == OWN)].tolist())  # few kept places do not hold all classes of a mixed batch

    def training_features(self, backbone: Backbone, images: Tensor, classes: ClassSet, labels: Tensor) -> Features:
        if self.top == len(classes):
            return self.features(backbone, images, classes)
        image = backbone.encode_image(images, (), self.image.overlay())
        chosen = classes.take(self.chosen(self.similarity(image, labels)))
        text = backbone.encode_sentences(self.sentences(chosen), self.text.overlay())
        return Features(image, text, backbone.scale, chosen)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [SkipTuning, FinetuneCLIP]
