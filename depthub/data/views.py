"""From a picture to the pixels a model reads: transforms, and data sets that torch's loader understands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from depthub.data.dataset import Examples

Transform = Callable[[Image], Tensor]


def transform(size: tuple[int, int], statistics: tuple[Sequence[float], Sequence[float]], *, augment: bool) -> Transform:
    """The field's transform of an RGB picture to normalised pixels (3, H, W).

    Args:
        size: H and W in pixels.
        statistics: mean and standard deviation per channel of pixels in [0, 1].
        augment: for training, a random crop of 8 to 100 % of the area and a random flip; otherwise the shorter edge is resized and
            the centre cropped.
    """
    bicubic = InterpolationMode.BICUBIC
    cut: list[Transform] = (
        [transforms.RandomResizedCrop(size, scale=(0.08, 1.0), interpolation=bicubic), transforms.RandomHorizontalFlip()]
        if augment
        else [transforms.Resize(max(size), interpolation=bicubic), transforms.CenterCrop(size)]
    )
    made: Transform = transforms.Compose([*cut, transforms.ToTensor(), transforms.Normalize(*statistics)])
    return made


def mixed(*numbers: int) -> int:
    """One seed from several, the same on every machine."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Views(Dataset[tuple[Tensor, int]]):
    """Pixels and labels of examples.

    Args:
        examples: N of them.
        transform: picture to pixels.
        seed: for random transforms: the view of image i in epoch e depends on (seed, e, i) alone, not on order, method or workers.
    """

    def __init__(self, examples: Examples, transform: Transform, seed: int = 0) -> None:
        self.examples, self.transform, self.seed, self.epoch = examples, transform, seed, 0

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        picture = self.examples.read(self.examples.ids[i])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(mixed(self.seed, self.epoch, i))
            return self.transform(picture), self.examples.labels[i]


class EpochOrder:
    """Batches of indices in an order that depends on seed and epoch alone, so that methods and heads see the same images together.

    Args:
        length: N.
        batch_size: of every batch. The rest that fills no batch is dropped, unless there is no full batch at all: then one short
            batch is kept.
        seed: of the order.
    """

    drop_last = True  # what Accelerate reads

    def __init__(self, length: int, batch_size: int, seed: int) -> None:
        self.length, self.batch_size, self.seed, self.epoch = length, min(batch_size, length), seed, 0

    def __len__(self) -> int:
        return self.length // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(mixed(self.seed, self.epoch))
        order = torch.randperm(self.length, generator=generator).tolist()
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size]
