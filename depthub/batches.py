"""Batches on their way from a data set to the device, each process's part of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from depthub.data.elsewhere import in_one_line
from depthub.ranks import share
from depthub.stack import Abreast

OnProgress = Callable[[int, int], None]  # told how many images are done, and of how many


class Parts:
    """One process's part of every batch. A process that has no image of a batch gets one all the same, to be weighted with 0: all processes
    do the same steps.

    Args:
        batches: of indices, for all processes together; with one process those of several runs.
        rank: whose part.
        processes: number of parts.
    """

    def __init__(self, batches: Abreast, rank: int, processes: int) -> None:
        size = batches.batch_size
        self.batches, self._own = batches, share(size, rank, processes)
        # Gradients are added up over the processes: times this, the means over the images of the parts give the mean over the batch.
        self.weight = len(self._own) / size

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            yield batch[self._own.start : self._own.stop] or batch[:1]


def on_device(loader: Iterable[Any], device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """A loader's batches, (images, labels); from pinned memory they travel while the device computes.

    Raises:
        DepthubError: in one line, whichever process reads the images.
    """
    for images, labels in in_one_line(loader):
        yield images.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def loader(images: Any, device: torch.device, workers: int, **how: Any) -> DataLoader[tuple[Tensor, Tensor]]:
    """A loader whose batches are ready to travel; what loading draws at random is no part of what runs draw.

    Args:
        images: the data set.
        device: where its batches go.
        workers: processes that read images.
        how: else about the batches, as `DataLoader` takes it.
    """
    return DataLoader(images, num_workers=workers, pin_memory=device.type == "cuda", generator=torch.Generator(), **how)
