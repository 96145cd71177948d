"""From a picture to a model's pixels: transforms, and data sets for torch's loader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from depthub.data.dataset import Examples
from depthub.errors import DepthubError
from depthub.recipe import Training

Cut = Callable[[Image], Image]
Statistics = tuple[Sequence[float], Sequence[float]]
Transform = Callable[[Image], Tensor]
BICUBIC = InterpolationMode.BICUBIC
CROP = Training.crop  # least share of a picture's area in a random crop


def transform(size: tuple[int, int], statistics: Statistics, *, augment: bool, crop: float = CROP) -> Transform:
    """The field's transform of an RGB picture to normalised pixels (3, H, W).

    Args:
        size: H and W in pixels.
        statistics: mean and standard deviation per channel of pixels in [0, 1].
        augment: for training, a random crop and a random flip; otherwise the shorter edge is resized and the centre cropped.
        crop: least share of the area in a random crop; the largest is all of it.
    """
    cut: Cut = (
        transforms.Compose(
            [transforms.RandomResizedCrop(size, scale=(crop, 1.0), interpolation=BICUBIC), transforms.RandomHorizontalFlip()]
        )
        if augment
        else centre(size)
    )
    complete: Transform = transforms.Compose([cut, pixels(statistics)])
    return complete


def centre(size: tuple[int, int]) -> Cut:
    """The first half of the test transform: the picture with its shorter edge resized, and its centre (H, W) cropped."""
    cut: Cut = transforms.Compose([transforms.Resize(max(size), interpolation=BICUBIC), transforms.CenterCrop(size)])
    return cut


def pixels(statistics: Statistics) -> Transform:
    """The second half of a transform: a picture of H x W as normalised pixels (3, H, W)."""
    normalise: Transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(*statistics)])
    return normalise


@runtime_checkable
class Drafting(Protocol):
    """A reader of image files that can decode them at a fraction of their size."""

    def at_least(self, edge: int) -> Callable[[str], Image]:
        """The same reader, but with images that may be smaller where their shorter edge keeps at least `edge` pixels."""


def drafted(examples: Examples, size: tuple[int, int]) -> Examples:
    """The same images for the test transform, decoded smaller where that leaves at least twice the transform's size (H, W).

    On the tests' smooth and textured pictures this changes the resized pixels by at most 4 of 255, and by less than 0.5 in the mean.

    Raises:
        DepthubError: if their reader is not `Drafting`.
    """
    if not isinstance(examples.read, Drafting):
        raise DepthubError(f"data set {examples.source!r} has no image files to decode as drafts; leave data.decoding at 'exact'")
    return replace(examples, read=examples.read.at_least(2 * max(size)))


def mixed(*numbers: int) -> int:
    """One seed from several, the same on every machine."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


class PerEpoch(Dataset[tuple[Tensor, int]]):
    """Data set with other items in every epoch; set `epoch`, from 0, before iterating."""

    epoch: int


class Views(PerEpoch):
    """Pixels and labels of examples.

    Args:
        examples: N labelled images.
        transform: picture to pixels.
        seed: seed of random transforms. The view of image i in epoch e depends on (seed, e, i) alone, not on order, method or workers.
    """

    def __init__(self, examples: Examples, transform: Transform, seed: int = 0) -> None:
        self.examples, self.transform, self.seed, self.epoch = examples, transform, seed, 0

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        picture = _picture(self.examples, self.examples.ids[i])
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(mixed(self.seed, self.epoch, i))  # torch.manual_seed takes 200 times as long
            return self.transform(picture), self.examples.labels[i]


def _picture(examples: Examples, name: str) -> Image:
    """The picture of an id, in RGB.

    Raises:
        DepthubError: if the reader gives something else.
    """
    picture: object = examples.read(name)
    where = f"data set {examples.source!r}: " if examples.source else ""
    if not isinstance(picture, Image):
        raise DepthubError(f"{where}the reader of image {name!r} gives a {type(picture).__name__}, expected a picture (PIL.Image.Image)")
    if picture.mode != "RGB":
        raise DepthubError(f"{where}the reader of image {name!r} gives a picture in mode {picture.mode}, expected RGB: .convert('RGB')")
    return picture
