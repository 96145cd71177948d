"""What is measured: backbones, heads, class counts and inputs."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import product

import torch
from open_clip import IMAGENET_CLASSNAMES
from torch import Tensor

from benchmarks.reference import PlainCoOp
from depthub import Backbone, ClassSet
from depthub.loading import RANDOM, load_backbone
from depthub.model import Tuner
from depthub.plugins import installed
from depthub.spec import BackboneSpec

EMBEDDED, LARGE = "embedded CLIP", "ViT-B/16"
HEADS = {"CoOp": "ITM", "CoOp+DePT": "DePT"}
SHAPES = tuple(f"{colour} {shape}" for colour, shape in product(("red", "green", "blue", "yellow", "gray"), ("circle", "triangle")))


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Args:
        method: CoOp with 16 learned tokens, alone or with DePT around it.
        backbone: the embedded model, or ViT-B/16 with random weights.
        number: of classes.
        pixels: encode images; else their features are given.
    """

    method: str
    backbone: str
    number: int
    pixels: bool

    def __str__(self) -> str:
        return f"{self.method}, {self.backbone}, {self.number} classes, {'pixels' if self.pixels else 'cached features'}"

    @property
    def classes(self) -> ClassSet:
        names = SHAPES if self.backbone == EMBEDDED else tuple(IMAGENET_CLASSNAMES)
        return ClassSet("benchmark", tuple(range(self.number)), names[: self.number])

    def pair(self) -> tuple[Tuner, Tuner]:
        """Ours and the plain reference."""
        return pair(backbone(self.backbone), HEADS[self.method], self.classes)

    def images(self, number: int) -> tuple[Tensor, Tensor]:
        """Random pixels or features, and labels."""
        model, generator = backbone(self.backbone), torch.Generator().manual_seed(0)
        shape = (3, *model.image_size) if self.pixels else (model.dim,)
        return torch.randn(number, *shape, generator=generator), torch.randint(self.number, (number,), generator=generator)


GRID = ((EMBEDDED, 10, False), (EMBEDDED, 10, True), (LARGE, 10, False), (LARGE, 50, False), (LARGE, 10, True))
CASES = tuple(Case(method, *rest) for rest in GRID for method in HEADS)


def pair(model: Backbone, head: str, classes: ClassSet) -> tuple[Tuner, Tuner]:
    """CoOp under a head, ours and plain, from the same start."""
    plugins = installed()
    torch.manual_seed(0)
    method = plugins.get("methods", "CoOp")(model, classes)
    read = plugins.get("heads", head)(model.dim, classes)
    plain = PlainCoOp(model, classes, context=method.context)
    dtype = model.scale.dtype
    return Tuner(model, method, read).to(dtype), Tuner(model, plain, deepcopy(read)).to(dtype)


@cache
def backbone(name: str) -> Backbone:
    """Weights do not change the cost, so ViT-B/16 has random ones and needs no download."""
    named = {"shapes": installed().get("backbones", "shapes")}
    if name == LARGE:
        return load_backbone(BackboneSpec("ViT-B-16-quickgelu", RANDOM), named)
    return load_backbone(BackboneSpec("shapes"), named)
