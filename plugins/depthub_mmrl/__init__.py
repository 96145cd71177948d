"""MMRL: learned tokens in the upper layers of both towers, and a second readout of the image from them. https://arxiv.org/abs/2503.08497"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub import Backbone, ClassSet, DepthubError, Features, Method, Overlay, Preset, Prompts, check_first_layer, hookimpl, trained_rows

RECIPE: dict[str, Any] = {"optimizer": "adamw", "lr": 0.001, "crop": 0.5}
FEW: dict[str, Any] = RECIPE | {"epochs": 50, "batch_size": 32}
OTHER_DATA: dict[str, Any] = RECIPE | {"epochs": 1, "batch_size": 32, "warmup_epochs": 0}
WEIGHTS = {  # of the pull towards the frozen features, by data set
    **{"stanford_cars": 7.0, "fgvc_aircraft": 6.0, "sun397": 6.0, "dtd": 6.0, "food101": 5.0, "oxford_flowers": 4.0},
    **{"ucf101": 3.0, "caltech101": 0.5, "oxford_pets": 0.2},
}
SETTINGS: dict[str, Any] = {name: {"weight": weight} for name, weight in WEIGHTS.items()} | {"eurosat": {"dim": 2048, "weight": 0.01}}


class MMRL(Method):
    """Tokens of a space of their own enter both towers before each of the upper layers, by a linear map for each. The image tower is
    read twice: its class token as ever, and the mean of the learned tokens by a learned projection. Trained classes are scored by a
    weighted mean of both readings, new ones by the first alone.

    Args:
        n_tokens: learned tokens.
        dim: size of their space.
        first_layer: first layer of both towers that they enter, from 0; published as 5.
        alpha: weight of the first reading, in the loss and in the scores.
        weight: weight of the pull of both towers' features towards the frozen ones.
        start: of the second projection: "random" as in the published code, or the "frozen" one.
    """

    tunes_image = True
    presets = (
        Preset("original", {"weight": 0.2}, OTHER_DATA, protocols=("CrossDataset", "DomainGeneralization")),
        Preset("original", {"weight": 0.5}, RECIPE | {"epochs": 5, "batch_size": 32}, data=("imagenet",)),
        *(Preset("original", settings, FEW, protocols=("FewShot",), data=(name,)) for name, settings in SETTINGS.items()),
        Preset("original", {"weight": 0.5}, FEW, protocols=("FewShot",)),
        *(Preset("original", settings, RECIPE, data=(name,)) for name, settings in SETTINGS.items()),
        Preset("original", {}, RECIPE),
        Preset("dept-repo", {}, RECIPE),
    )
    anchors: Tensor  # (M, d), normalised

    def __init__(
        self,
        backbone: Backbone,
        classes: ClassSet,
        *,
        n_tokens: int = 5,
        dim: int = 512,
        first_layer: int = 5,
        alpha: float = 0.7,
        weight: float = 1.0,
        start: Literal["random", "frozen"] = "random",
    ) -> None:
        super().__init__(backbone, classes)
        check_first_layer(self, backbone, first_layer, lowest=1)
        if n_tokens < 1 or dim < 1 or not 0 <= alpha <= 1:
            raise DepthubError(f"MMRL: n_tokens is {n_tokens} and dim {dim}, expected at least 1; alpha {alpha}, expected 0 to 1")
        self.classes, self.first_image_layer, self.alpha, self.weight = classes, first_layer, alpha, weight
        self.head_weight = alpha
        self.tokens = nn.Parameter(0.02 * torch.randn(n_tokens, dim))
        to_image, to_text = nn.Linear(dim, backbone.image_width), nn.Linear(dim, backbone.text_width)  # equal at the start in all layers
        self.to_image = nn.ModuleList(deepcopy(to_image) for _ in range(first_layer, backbone.image_depth))
        self.to_text = nn.ModuleList(deepcopy(to_text) for _ in range(first_layer, backbone.text_depth))
        frozen = backbone.weights("image", None)["proj"]
        self.projection = nn.Parameter(torch.randn_like(frozen) / backbone.image_width**0.5 if start == "random" else frozen)
        self.register_buffer("anchors", F.normalize(backbone.encode_sentences(classes.sentences()), dim=-1), persistent=False)

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        before = [None] * self.first_image_layer
        text = backbone.encode_text(classes, Prompts(text=[*before, *(to_text(self.tokens) for to_text in self.to_text)]))
        tokens = backbone.image_tokens(images, [*before, *(to_image(self.tokens) for to_image in self.to_image)])
        image = backbone.project_image(tokens[:, 0])
        second = backbone.project_image(tokens[:, -len(self.tokens) :], Overlay(end={"proj": self.projection})).mean(dim=1)
        readouts = {"representation": second}
        if self.training:
            return Features(image, text, backbone.scale, classes, backbone.encode_image(images), readouts=readouts)
        if classes.rows_in(self.classes) is None:
            return Features(image, text, backbone.scale, classes, readouts=readouts)
        added = (1 - self.alpha) * self.scores(second, text, backbone.scale)
        return Features(image, text, self.alpha * backbone.scale, classes, added=added, readouts=readouts)

    @staticmethod
    def scores(image: Tensor, text: Tensor, scale: Tensor) -> Tensor:
        """Scaled cosine similarities, (B, M)."""
        return scale * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T

    def losses(self, features: Features) -> dict[str, Tensor]:
        if features.reference is None or features.labels is None:
            return {}
        second = self.scores(features.readouts["representation"], features.text, features.scale)
        image = 1 - F.cosine_similarity(features.image, features.reference, dim=-1).mean()
        text = 1 - F.cosine_similarity(features.text, self.anchors[trained_rows(features.classes, self.classes)], dim=-1).mean()
        return {"representation": (1 - self.alpha) * F.cross_entropy(second, features.labels), "frozen": self.weight * (image + text)}


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [MMRL]
