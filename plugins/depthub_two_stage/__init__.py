"""2SFS: first few weights of both towers, then the classifier alone. Farina et al., CVPR 2025, https://arxiv.org/abs/2503.11609"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub import AddedParts, Backbone, ClassSet, DepthubError, Features, Method, Preset, TunedWeights, check_first_layer, hookimpl

RECIPE: dict[str, Any] = {"optimizer": "adamw", "lr": 2e-4, "weight_decay": 0.01, "warmup_epochs": 0, "schedule": "step", "final_lr": 1e-6}
# as published, without the normalisations behind the towers, and without q's, k's and v's biases
CHOICES: Mapping[str, Callable[[str], bool]] = {
    "norms": lambda name: name.startswith(("ln_1", "ln_2")),
    "biases": lambda name: name.endswith(".bias"),
}


class TwoSFS(Method):
    """In the first stage normalisations, biases, or updates of low rank, of both towers learn by matching images and texts. In the second a
    vector for each class learns, starting at its text feature, and the towers stay. New classes have text features of the tuned text tower.

    Args:
        tuned: in the first stage: the layers' "norms"; all "biases" but those of queries, keys and values, and of the normalisation in
            front of the image tower; or "lora", updates of queries, keys and values as in CLIPLoRA.
        share: of the steps that the first stage has.
        first_layer: first layer that is tuned, from 0, and all behind it.
        rank: of the updates, which are multiplied by 1 / sqrt(rank).
        dropout: share of a layer's input that is dropped in front of an update, in training.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own.
    """

    tunes_image = True
    presets = (Preset("original", {}, RECIPE | {"batch_size": 32, "steps_per_shot": 300}), Preset("dept-repo", {}, RECIPE))
    lengths: Tensor  # of the text features at which the classifier starts, (M, 1); 0 in the first stage

    def __init__(
        self,
        backbone: Backbone,
        classes: ClassSet,
        *,
        tuned: Literal["norms", "biases", "lora"] = "norms",
        share: float = 0.6,
        first_layer: int = 0,
        rank: int = 2,
        dropout: float = 0.25,
        template: str = "a photo of a {}.",
    ) -> None:
        super().__init__(backbone, classes)
        check_first_layer(self, backbone, first_layer)
        if not 0 < share < 1:
            raise DepthubError(f"TwoSFS: share is {share}, expected between 0 and 1")

        def of_tower(tower: Literal["text", "image"], width: int, numbers: range) -> TunedWeights | AddedParts:
            if tuned == "lora":
                return AddedParts.low_rank(numbers, width, rank, 1.0, dropout)
            return TunedWeights(backbone, tower, numbers, end=True, choose=CHOICES[tuned])

        self.text = of_tower("text", backbone.text_width, range(first_layer, backbone.text_depth))
        self.image = of_tower("image", backbone.image_width, range(first_layer, backbone.image_depth))
        self.classifier = nn.Parameter(torch.zeros(len(classes), backbone.dim))
        self.register_buffer("lengths", torch.zeros(len(classes), 1))
        self.classes, self.template, self.stages, self.first_image_layer = classes, template, (share,), first_layer
        self.starts = self.late = False  # the second stage, in training

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        return settings if settings["tuned"] == "lora" else {**settings, "rank": 2, "dropout": 0.25}

    def before_step(self, step: int, steps: int) -> None:
        first = int(self.stages[0] * steps)
        self.starts, self.late = step == first, step >= first
        self.text.train(not self.late)  # the classifier starts without dropout, hence equal in all processes

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.late):
            text = backbone.encode_sentences(classes.sentences(self.template), self.text.overlay())
            image = backbone.encode_image(images, (), self.image.overlay())
        if self.training and self.starts:
            with torch.no_grad():
                self.classifier.copy_(F.normalize(text, dim=-1))
                self.lengths.copy_(text.norm(dim=-1, keepdim=True))
        if self.late if self.training else self.lengths.any():
            rows = torch.tensor(classes.places_in(self.classes), device=text.device)
            text = torch.where(rows[:, None] >= 0, (self.lengths * self.classifier)[rows], text)
        return Features(image, text, backbone.scale, classes)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [TwoSFS]
