"""Cases of the benchmarks: methods and heads, backbones, class names and inputs."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import torch
from open_clip import IMAGENET_CLASSNAMES
from torch import Tensor

from depthub import Backbone, ClassSet, Method
from depthub.encoding.loading.load import RANDOM, load_backbone
from depthub.registry.plugins import installed
from depthub.spec import BackboneSpec
from depthub.training.tuner import Tuner

EMBEDDED, LARGE = "embedded CLIP", "ViT-B/16"
WORDS = {"n_ctx": 4, "ctx_init": "a photo of a"}
METHODS: dict[str, tuple[str, dict[str, Any], str]] = {  # method, its settings, head
    "CoOp": ("CoOp", {}, "ITM"),
    "CoOp, 4 words": ("CoOp", WORDS, "ITM"),
    "CoOp+DePT": ("CoOp", {}, "DePT"),
    "KgCoOp": ("KgCoOp", {}, "ITM"),
    "CoCoOp": ("CoCoOp", {}, "ITM"),
    "MaPLe": ("MaPLe", {}, "ITM"),
}
SHAPES = tuple(f"{colour} {shape}" for colour, shape in product(("red", "green", "blue", "yellow", "gray"), ("circle", "triangle")))
CARS = tuple(Path(__file__).with_name("cars.txt").read_text().splitlines())  # the base half of Stanford Cars: long names that begin alike


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Args:
        method: one of `METHODS`.
        number: of classes.
        pixels: whether the inputs are pixels; else image features.
        backbone: the embedded model, or ViT-B/16 with random weights.
        names: of the classes; ImageNet's by default, or those of the embedded data.
    """

    method: str
    number: int
    pixels: bool = False
    backbone: str = LARGE
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = f"{self.number} {'Cars ' if self.names == CARS else ''}classes"
        return f"{self.method}, {self.backbone}, {what}, {'pixels' if self.pixels else 'cached features'}"

    @property
    def classes(self) -> ClassSet:
        names = self.names or (SHAPES if self.backbone == EMBEDDED else tuple(IMAGENET_CLASSNAMES))
        return ClassSet("benchmark", tuple(range(self.number)), names[: self.number])

    @property
    def batch(self) -> int:
        """Images per step, as published."""
        return 1 if self.method == "CoCoOp" else 4

    def pair(self) -> tuple[Tuner, Tuner]:
        """Ours and the plain reference."""
        return pair(backbone(self.backbone), self.method, self.classes)

    def images(self, number: int) -> tuple[Tensor, Tensor]:
        """Random pixels or features, and labels."""
        model, generator = backbone(self.backbone), torch.Generator().manual_seed(0)
        shape = (3, *model.image_size) if self.pixels else (model.dim,)
        return torch.randn(number, *shape, generator=generator), torch.randint(self.number, (number,), generator=generator)


def grid(methods: tuple[str, ...], numbers: tuple[int, ...], *, pixels: bool = False, backbone: str = LARGE) -> tuple[Case, ...]:
    """Every method with every number of classes."""
    return tuple(Case(method, number, pixels, backbone) for number in numbers for method in methods)


TEXT_SIDE = ("CoOp", "CoOp+DePT", "KgCoOp", "CoCoOp")
STEPS = (
    *grid(("CoOp", "CoOp+DePT"), (10,), backbone=EMBEDDED),
    *grid(("CoOp", "MaPLe"), (10,), backbone=EMBEDDED, pixels=True),
    *grid(("CoOp",), (10,)),
    *grid(TEXT_SIDE, (50, 100)),
    Case("CoOp, 4 words", len(CARS), names=CARS),
    *grid(("CoOp", "CoCoOp", "MaPLe"), (50, 100), pixels=True),
)
MANY = grid(("CoOp", "CoOp+DePT", "KgCoOp", "CoCoOp"), (500, 1000))  # ours alone: the plain step takes minutes and tens of GB


def pair(model: Backbone, name: str, classes: ClassSet) -> tuple[Tuner, Tuner]:
    """A method under a head, ours and plain, from the same start."""
    method, head = parts(model, name, classes)
    dtype = model.scale.dtype
    return Tuner(model, method, head).to(dtype), Tuner(reference(model), deepcopy(method), deepcopy(head)).to(dtype)


def reference(model: Backbone) -> Backbone:
    """A backbone of the same weights that encodes in the plain way."""
    plain = Backbone(model.clip, model.tokenizer)
    plain.encoding = "reference"
    return plain


def parts(model: Backbone, name: str, classes: ClassSet) -> tuple[Method, Any]:
    """A method and a head from a seeded start."""
    method, settings, head = METHODS[name]
    plugins = installed()
    if method == "MaPLe":
        settings = {"depth": min(9, model.text_depth, model.image_depth)}
    torch.manual_seed(0)
    return plugins.get("methods", method)(model, classes, **settings), plugins.get("heads", head)(model.dim, classes)


@cache
def backbone(name: str) -> Backbone:
    """Weights do not change the cost, so ViT-B/16 has random ones and needs no download."""
    named = {"shapes": installed().get("backbones", "shapes")}
    if name == LARGE:
        return load_backbone(BackboneSpec("ViT-B-16-quickgelu", RANDOM), named)
    return load_backbone(BackboneSpec("shapes"), named)
