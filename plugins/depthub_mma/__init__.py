"""MMA: adapters beside the upper layers of both towers, with a part that the two share. Yang et al., CVPR 2024."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from depthub import AddedParts, Backbone, ClassSet, DepthubError, Features, Method, Preset, check_first_layer, hookimpl, scaled_gradient

RECIPE: dict[str, Any] = {"lr": 0.0015, "epochs": 5, "warmup_epochs": 0, "batch_size": 128}


class Map(nn.Linear):
    """A linear map with the published start."""

    def reset_parameters(self) -> None:
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.bias)


class Adapter(nn.Module):
    """What is added to a layer's output (..., w): scale * up(relu(shared(relu(down(the layer's own normalisation of its input)))))."""

    def __init__(self, weights: Mapping[str, Tensor], shared: nn.Linear, scale: float, scaled_gradients: bool) -> None:
        super().__init__()
        self.scale, self.gradient, width = scale, scale if scaled_gradients else 1.0, len(weights["ln_1.bias"])
        self.down, self.shared, self.up = Map(width, shared.in_features), shared, Map(shared.in_features, width)
        self.norm = nn.LayerNorm(width).requires_grad_(False)
        self.norm.load_state_dict({"weight": weights["ln_1.weight"], "bias": weights["ln_1.bias"]})

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.shared(self.down(scaled_gradient(self.norm(x), self.gradient)).relu()).relu()
        added: Tensor = scaled_gradient(self.scale * self.up(hidden), 1 / self.gradient)
        return added


class MMA(Method):
    """A small network of each layer's normalised input is added to its output; its middle is the same in both towers.

    Args:
        first_layer: first layer of both towers with adapters, from 0; published as 4.
        hidden: width of the adapters.
        scale: factor of what they add.
        scaled_gradients: as published, the adapters' gradients are divided by the scale, hence not small; False: the plain gradients.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own.
    """

    tunes_image = True
    presets = (
        Preset("original", {"first_layer": 8}, RECIPE | {"epochs": 1}, protocols=("CrossDataset", "DomainGeneralization")),
        Preset("original", {}, RECIPE, data=("imagenet",)),
        Preset("original", {}, RECIPE | {"batch_size": 16}),
        Preset("dept-repo", {}, {"lr": 0.0015}),
    )

    def __init__(
        self,
        backbone: Backbone,
        classes: ClassSet,
        *,
        first_layer: int = 4,
        hidden: int = 32,
        scale: float = 0.001,
        scaled_gradients: bool = True,
        template: str = "a photo of a {}.",
    ) -> None:
        super().__init__(backbone, classes)
        check_first_layer(self, backbone, first_layer)
        if hidden < 1 or scale <= 0:
            raise DepthubError(f"MMA: hidden is {hidden} and scale {scale}, expected positive numbers")
        self.template, self.first_image_layer = template, first_layer
        numbers = range(first_layer, min(backbone.text_depth, backbone.image_depth))
        shared = {number: Map(hidden, hidden) for number in numbers}
        self.text, self.image = (
            AddedParts("layer", {n: Adapter(backbone.weights(tower, n), shared[n], scale, scaled_gradients) for n in numbers})
            for tower in ("text", "image")
        )

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_sentences(classes.sentences(self.template), self.text.overlay())
        return Features(backbone.encode_image(images, (), self.image.overlay()), text, backbone.scale, classes)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [MMA]
