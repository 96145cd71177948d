"""CLIP-Adapter: a small network behind the image features. https://arxiv.org/abs/2110.04544"""

from __future__ import annotations

from torch import Tensor, nn

from depthub import Backbone, ClassSet, DepthubError, Features, Method, Preset, hookimpl


class CLIPAdapter(Method):
    """A share of the image feature comes from a bottleneck with two rectifiers; texts are hand-written prompts.

    Args:
        ratio: the network's share of the image feature; the frozen one has the rest.
        reduction: the network has d // reduction hidden units.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own.
    """

    adapts_image = True
    presets = (
        Preset("original", {}, {"lr": 1e-5, "batch_size": 32, "optimizer": "adam", "epochs": 200, "warmup_epochs": 0}),
        Preset("dept-repo", {}, {"lr": 0.035}),
    )

    def __init__(self, backbone: Backbone, classes: ClassSet, *, ratio: float = 0.2, reduction: int = 4, template: str = "") -> None:
        super().__init__(backbone, classes)
        if not 0 <= ratio <= 1 or not 1 <= reduction <= backbone.dim:
            raise DepthubError(f"CLIPAdapter: ratio {ratio}, reduction {reduction}, expected 0 to 1, and 1 to {backbone.dim}")
        hidden = backbone.dim // reduction
        self.down, self.up = nn.Linear(backbone.dim, hidden, bias=False), nn.Linear(hidden, backbone.dim, bias=False)
        self.ratio, self.template = ratio, template

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        image = backbone.encode_image(images)
        adapted = self.up(self.down(image).relu()).relu()
        text = backbone.encode_sentences(classes.sentences(self.template))
        return Features(self.ratio * adapted + (1 - self.ratio) * image, text, backbone.scale, classes)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [CLIPAdapter]
