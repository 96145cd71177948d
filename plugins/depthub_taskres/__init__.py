"""TaskRes: a learned residual on each class's frozen text feature. https://arxiv.org/abs/2211.10277"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, Method, Preset, hookimpl

RECIPE: dict[str, Any] = {"optimizer": "adam", "lr": 2e-3, "batch_size": 256}
IMAGENET: dict[str, Any] = RECIPE | {"lr": 2e-4}
STRONG = {"scale": 1.0}


class TaskRes(Method):
    """A class feature is that of the hand-written prompt plus a multiple of a learned vector. New classes have none: theirs are zero-shot.

    Args:
        scale: factor of the residuals.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own.
    """

    presets = (
        *(
            Preset("original", {}, IMAGENET | {"epochs": epochs}, data=("imagenet",), shots=shots)
            for epochs, shots in ((100, (1, 2, 4)), (200, ()))
        ),
        *(Preset("original", STRONG, RECIPE | {"epochs": e}, data=("oxford_flowers",), shots=s) for e, s in ((100, (1, 2, 4)), (200, ()))),
        *(Preset("original", {}, RECIPE | {"epochs": epochs}, shots=shots) for epochs, shots in ((100, (1, 2, 4)), (200, ()))),
        Preset("dept-repo", {}, {"optimizer": "adam", "lr": 2e-3}),
    )

    def __init__(self, backbone: Backbone, classes: ClassSet, *, scale: float = 0.5, template: str = "") -> None:
        super().__init__(backbone, classes)
        self.classes, self.scale, self.template = classes, scale, template
        self.residuals = nn.Parameter(torch.zeros(len(classes), backbone.dim))

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_sentences(classes.sentences(self.template))
        rows = torch.cat([self.residuals, self.residuals.new_zeros(1, backbone.dim)])[classes.places_in(self.classes)]
        return Features(backbone.encode_image(images), text + self.scale * rows, backbone.scale, classes)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [TaskRes]
