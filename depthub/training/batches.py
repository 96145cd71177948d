"""Batches of indices: of one run, in a new order every epoch; of several runs, side by side; and each process's part of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from depthub.compute.processes import share
from depthub.data.views import mixed


class ShuffledBatches:
    """Batches of indices in an order that depends on seed and epoch alone, so that methods and heads see the same images together.

    Args:
        length: N.
        batch_size: images in a batch. An incomplete last batch is dropped, unless it is the only one.
        seed: of the order.
    """

    def __init__(self, length: int, batch_size: int, seed: int) -> None:
        self.length, self.batch_size, self.seed, self.epoch = length, min(batch_size, length), seed, 0

    def __len__(self) -> int:
        return self.length // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(mixed(self.seed, self.epoch))
        order = torch.randperm(self.length, generator=generator).tolist()
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size]


class StackedBatches:
    """Batches of R runs as one: indices into their images, which are put one after the other. Runs have the same number of images.

    For two runs of 10 images, the batches [3, 7] of the first and [0, 5] of the second become [3, 7, 10, 15].

    Args:
        orders: one per run.
    """

    def __init__(self, orders: Sequence[ShuffledBatches]) -> None:
        self.orders, self.batch_size = orders, sum(order.batch_size for order in orders)

    def __len__(self) -> int:
        return len(self.orders[0])

    def __iter__(self) -> Iterator[list[int]]:
        for batches in zip(*self.orders, strict=True):
            offsets = (run * order.length for run, order in enumerate(self.orders))
            yield [offset + i for offset, batch in zip(offsets, batches, strict=True) for i in batch]


class ProcessBatches:
    """One process's part of every batch. A part without an image gets the batch's first one, with weight 0: all processes take the same
    number of steps.

    Args:
        batches: of indices, for all processes together; of several runs only with one process.
        rank: of the process.
        processes: number of parts.

    Attributes:
        weight: factor of the part's mean loss, its share of the batch.
    """

    def __init__(self, batches: StackedBatches, rank: int, processes: int) -> None:
        size = batches.batch_size
        self.batches, self._part = batches, share(size, rank, processes)
        # Gradients are added up over the processes: with these weights the means over the parts' images add up to the mean over the batch.
        self.weight = len(self._part) / size

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            yield batch[self._part.start : self._part.stop] or batch[:1]
