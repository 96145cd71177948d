"""CLIP-LoRA: low-rank updates of the attention of both towers. https://arxiv.org/abs/2405.18541"""

from __future__ import annotations

from math import sqrt
from typing import Any, Literal

from torch import Tensor, nn

from depthub import Backbone, ClassSet, DepthubError, Features, LayerOverlay, LowRank, Method, Overlay, Preset, hookimpl

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
        layers = min(backbone.text_depth, backbone.image_depth)
        if rank < 1 or not 0 <= dropout < 1 or not 0 <= first_layer < layers:
            raise DepthubError(
                f"CLIPLoRA: rank {rank}, dropout {dropout}, first_layer {first_layer}, expected at least 1, 0 to 1, and 0 to {layers - 1}"
            )

        def updates(width: int, depth: int, tower: str) -> nn.ModuleDict:
            numbers = range(first_layer, depth) if encoder in ("both", tower) else range(0)
            return nn.ModuleDict({str(number): LowRank(width, rank, alpha / sqrt(rank), dropout) for number in numbers})

        self.text = updates(backbone.text_width, backbone.text_depth, "text")
        self.image = updates(backbone.image_width, backbone.image_depth, "image")
        self.template, self.first_image_layer = template, first_layer

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text, image = (
            Overlay({int(number): LayerOverlay(added={"attn.in_proj": update}) for number, update in updates.items()})
            for updates in (self.text, self.image)
        )
        of_text = backbone.encode_sentences(classes.sentences(self.template), text)
        return Features(backbone.encode_image(images, (), image), of_text, backbone.scale, classes)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [CLIPLoRA]
