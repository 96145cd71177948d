"""A random CLIP, classes and images: without files, and small enough for seconds on a CPU."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import open_clip
import torch
from PIL import Image
from torch import Tensor, nn

from depthub.data.dataset import Data, Examples
from depthub.encoding.backbone import Backbone
from depthub.method import PromptMethod
from depthub.spec import Training
from depthub.types import ClassSet, Prompts

SEED = 1
# Two epochs of two steps, see `TRAIN`. The rate is high for prompts, so that every tuned parameter changes visibly.
RECIPE = Training(epochs=2, batch_size=4, lr=0.01, warmup_epochs=0, augmentation="none")


def _with_texts(classes: ClassSet) -> ClassSet:
    """The classes with one or two texts each, for methods that read them."""
    every = ((f"this is {name}, seen from afar.", f"{name} in the evening.") for name in classes.words)
    return replace(classes, texts=tuple(texts[: 1 + place % 2] for place, texts in enumerate(every)))


# Names of one to six tokens, and one written with underscores.
BASE = _with_texts(
    ClassSet("toys", (0, 1, 2, 3, 4), ("forest", "annual_crop_land", "2012 Audi A5 Coupe", "bird of paradise", "highway or road"))
)
NEW = _with_texts(ClassSet("toys", (7, 5, 6), ("red kite", "sea", "stone_bridge")))
# Another label space: its ids are those of other classes in `BASE`.
OTHER = _with_texts(ClassSet("drawings", (0, 1, 2, 3), ("a house", "cat", "dog", "paper plane"), "a drawing of {}."))


@cache
def _model() -> tuple[nn.Module, Any]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        # Depth and context length are those of a ViT-B/32, which defaults of published methods require; the width is only 32.
        clip = open_clip.CLIP(
            64,
            {"image_size": 32, "patch_size": 16, "width": 32, "layers": 12, "head_width": 16},
            {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 12},
        )
        for p in clip.parameters():  # biases other than 0 and scales other than 1, so that their wrong use shows
            if p.ndim == 1:
                nn.init.normal_(p, p.mean().item(), 0.1)
    return clip, open_clip.get_tokenizer("ViT-B-32")


def backbone() -> Backbone:
    """A seeded random CLIP: 12 layers of width 32 in both towers, d = 64, images of 32 x 32 pixels. A new copy in each call."""
    clip, tokenizer = _model()
    return Backbone(deepcopy(clip), tokenizer)  # the tokenizer is not changed, and slow to copy


def images(number: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Pixels (N, 3, 32, 32), noise around a pattern for each class of `BASE`, and labels (N,), the classes in turn."""
    patterns = torch.randn(len(BASE), 3, 32, 32, generator=torch.Generator().manual_seed(99))
    labels = torch.arange(number) % len(BASE)
    return patterns[labels] + torch.randn(number, 3, 32, 32, generator=torch.Generator().manual_seed(seed)), labels


TRAIN, TEST = (10, 0), (13, 1)  # arguments of `images`
SPACES = {"toys": BASE, "toys-shifted": BASE, "drawings": OTHER, "drawings-shifted": OTHER}  # the toy data sets


def data(name: str) -> Data:
    """A toy data set: eight training, two validation and three test images per class; other toy data sets are its targets and variant.

    Args:
        name: a key of `SPACES`; any other name has the classes of `OTHER`.
    """
    classes = SPACES.get(name, OTHER)
    train, val, test = (_examples(f"{name}/{split}", classes, number) for split, number in (("train", 8), ("val", 2), ("test", 3)))
    targets = tuple(other for other, others in SPACES.items() if others.space == other != classes.space)
    variants = tuple(other for other, others in SPACES.items() if others.space == classes.space != other)
    return Data(replace(classes, texts=()), train, test, val, targets=targets, variants=variants).named(name)


def _examples(split: str, classes: ClassSet, number: int) -> Examples:
    pairs = [(f"{split}/{label}/{i}", label) for label in range(len(classes)) for i in range(number)]
    return Examples(tuple(name for name, _ in pairs), tuple(label for _, label in pairs), picture)


def picture(name: str) -> Image.Image:
    """The picture of an id: of one colour, redder for a longer id."""
    return Image.new("RGB", (32, 32), (min(255, len(name)), 60, 90))


class Context(PromptMethod):
    """The plainest prompt, for checks of heads: four learned tokens in front of every class name."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))  # (n, w)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context])
