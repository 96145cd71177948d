"""Batches of indices: one run's in a new order every epoch, several runs' side by side, and each process's part of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from depthub.compute.processes import share
from depthub.data.views import mixed


class ShuffledBatches:
    """Batches of indices in an order that depends on seed and epoch alone, so that methods and heads see the same images together.

    Args:
        length: N.
        batch_size: of every batch. The rest that fills no batch is dropped, unless there is no full batch at all: then one short
            batch is kept.
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
    """Batches of R runs as one: indices into their images put one after the other. Runs have the same number of images.

    Args:
        orders: one a run.
    """

    def __init__(self, orders: Sequence[ShuffledBatches]) -> None:
        self.orders, self.batch_size = orders, sum(order.batch_size for order in orders)

    def __len__(self) -> int:
        return len(self.orders[0])

    def __iter__(self) -> Iterator[list[int]]:
        for batches in zip(*self.orders, strict=True):
            yield [run * order.length + i for run, (order, batch) in enumerate(zip(self.orders, batches, strict=True)) for i in batch]


class ProcessBatches:
    """One process's part of every batch. A process that has no image of a batch gets one all the same, to be weighted with 0: all processes
    do the same steps.

    Args:
        batches: of indices, for all processes together; with one process those of several runs.
        rank: whose part.
        processes: number of parts.
    """

    def __init__(self, batches: StackedBatches, rank: int, processes: int) -> None:
        size = batches.batch_size
        self.batches, self._own = batches, share(size, rank, processes)
        # Gradients are added up over the processes: times this, the means over the images of the parts give the mean over the batch.
        self.weight = len(self._own) / size

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            yield batch[self._own.start : self._own.stop] or batch[:1]
