"""Batches of pixels or features on their way from a data set to the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from depthub.data.worker_errors import in_one_line

OnProgress = Callable[[int, int], None]  # called with the number of images done, and of all


def on_device(loader: Iterable[Any], device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """A loader's batches, (images, labels), on the device; from pinned memory they are copied while the device computes.

    Raises:
        DepthubError: in one line, also from a process that reads images.
    """
    for images, labels in in_one_line(loader):
        yield images.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def loader(images: Any, device: torch.device, workers: int, **options: Any) -> DataLoader[tuple[Tensor, Tensor]]:
    """A loader with batches in pinned memory for a CUDA device; its random numbers are separate from those of runs.

    Args:
        images: the data set.
        device: target of its batches.
        workers: processes that read images.
        options: further options of `DataLoader`.
    """
    return DataLoader(images, num_workers=workers, pin_memory=device.type == "cuda", generator=torch.Generator(), **options)
