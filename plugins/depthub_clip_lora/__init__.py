"""CLIP-LoRA: low-rank updates of the attention of both towers. https://arxiv.org/abs/2405.18541"""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from depthub import AddedParts, Backbone, ClassSet, Features, Method, Preset, check_first_layer, hookimpl

RECIPE: dict[str, Any] = {"optimizer": "adamw", "lr": 2e-4, "weight_decay": 0.01, "warmup_epochs": 0}
BY_STEPS: dict[str, Any] = {"schedule": "step", "final_lr": 1e-6, "steps_per_shot": 500, "batch_size": 32}


class CLIPLoRA(Method):
    """Queries, keys and values of every layer get an update of low rank; texts are hand-written prompts.

    Args:
        rank: of the updates.
        alpha: the updates are multiplied by alpha / sqrt(rank).
        dropout: share of a layer's input that is dropped in front of an update, in training.
        encoder: the tower, or both.
        first_layer: first layer with updates, from 0.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own.
    """

    tunes_image = True
    presets = (Preset("original", {}, RECIPE | BY_STEPS), Preset("dept-repo", {}, RECIPE))

    def __init__(
        self,
        backbone: Backbone,
        classes: ClassSet,
        *,
        rank: int = 2,
        alpha: float = 1.0,
        dropout: float = 0.25,
        encoder: Literal["both", "text", "image"] = "both",
        first_layer: int = 0,
        template: str = "",
    ) -> None:
        super().__init__(backbone, classes)
        check_first_layer(self, backbone, first_layer)
        text_end, image_end = backbone.text_depth * (encoder != "image"), backbone.image_depth * (encoder != "text")
        self.text = AddedParts.low_rank(range(first_layer, text_end), backbone.text_width, rank, alpha, dropout)
        self.image = AddedParts.low_rank(range(first_layer, image_end), backbone.image_width, rank, alpha, dropout)
        self.template, self.first_image_layer = template, first_layer if self.image else backbone.image_depth

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_sentences(classes.sentences(self.template), self.text.overlay())
        return Features(backbone.encode_image(images, (), self.image.overlay()), text, backbone.scale, classes)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [CLIPLoRA]
