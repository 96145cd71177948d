"""Features in another precision, which heads without parameters take."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, Method, Prompts


class Exact(Method):
    """Gives features in double precision, as if they were tuned."""

    tunes_image = True

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_text(classes, Prompts(text=[self.context]))
        return Features(backbone.encode_image(images).double(), text.double(), backbone.scale, classes)
