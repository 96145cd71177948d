"""Pixels read beside the backbone, where the tokens of a later layer may come in their place."""

from __future__ import annotations

from torch import Tensor

from depthub import Backbone, ClassSet, Features, Method, TunedWeights


class Peeking(Method):
    """Tunes the image tower from layer 10 on, as it says, but also reads the brightness of the images as they come."""

    tunes_image = True

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.image = TunedWeights(backbone, "image", range(10, backbone.image_depth))
        self.first_image_layer = 10

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        image = backbone.encode_image(images, (), self.image.overlay())
        text = backbone.encode_sentences(classes.sentences())
        return Features(image + images.flatten(1).mean(dim=1, keepdim=True), text, backbone.scale, classes)
