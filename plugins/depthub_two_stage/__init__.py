"""2SFS: first few weights of both towers, then the classifier alone. Farina et al., CVPR 2025, https://arxiv.org/abs/2503.11609"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub import Backbone, ClassSet, DepthubError, Features, Method, Preset, TunedWeights, hookimpl

RECIPE: dict[str, Any] = {"optimizer": "adamw", "lr": 2e-4, "weight_decay": 0.01, "warmup_epochs": 0, "schedule": "step", "final_lr": 1e-6}
CHOICES: dict[
    str, Callable[[str], bool]
] = {  # as published, without the normalisations behind the towers, and without q's, k's and v's biases
    "norms": lambda name: name.startswith(("ln_1", "ln_2")),
    "biases": lambda name: name.endswith(".bias"),
}


class TwoSFS(Method):
    """In the first stage normalisations, or biases, of both towers learn by matching images and texts. In the second a vector for each class
    learns, starting at its text feature, and the towers stay. New classes have text features of the tuned text tower.

    Args:
        tuned: the weights of the first stage: those of the layers' "norms", or all "biases" but those of queries, keys and values.
        share: of the steps that the first stage has.
        first_layer: first layer that is tuned, from 0, and all behind it.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own.
    """

    tunes_image = True
    presets = (Preset("original", {}, RECIPE | {"batch_size": 32, "steps_per_shot": 300}), Preset("dept-repo", {}, RECIPE))
    begun: Tensor  # 1 in the second stage, ()

    def __init__(
        self,
        backbone: Backbone,
        classes: ClassSet,
        *,
        tuned: Literal["norms", "biases"] = "norms",
        share: float = 0.6,
        first_layer: int = 0,
        template: str = "",
    ) -> None:
        super().__init__(backbone, classes)
        layers = min(backbone.text_depth, backbone.image_depth)
        if not 0 < share < 1 or not 0 <= first_layer < layers:
            raise DepthubError(f"TwoSFS: share {share}, first_layer {first_layer}, expected between 0 and 1, and 0 to {layers - 1}")
        choose = CHOICES[tuned]
        self.text = TunedWeights(backbone, "text", range(first_layer, backbone.text_depth), end=True, choose=choose)
        self.image = TunedWeights(backbone, "image", range(first_layer, backbone.image_depth), end=True, choose=choose)
        self.classifier = nn.Parameter(torch.zeros(len(classes), backbone.dim))
        self.register_buffer("begun", torch.zeros(()))
        self.classes, self.template, self.stages, self.first_image_layer = classes, template, (share,), first_layer
        self.late = False

    def before_step(self, step: int, steps: int) -> None:
        self.late = step >= int(self.stages[0] * steps)

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.late):
            text = F.normalize(backbone.encode_sentences(classes.sentences(self.template), self.text.overlay()), dim=-1)
            image = backbone.encode_image(images, (), self.image.overlay())
        if self.training and self.late and not self.begun:
            with torch.no_grad():
                self.classifier.copy_(text)
                self.begun.fill_(1)
        if self.late if self.training else self.begun:
            rows = torch.tensor(classes.places_in(self.classes), device=text.device)
            text = torch.where(rows[:, None] >= 0, self.classifier[rows], text)
        return Features(image, text, backbone.scale, classes)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [TwoSFS]
