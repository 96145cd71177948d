"""Batches of indices: of one run, in a new order every epoch; of several runs, side by side; and each process's part of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from depthub.compute.processes import share
from depthub.data.views import mixed
from depthub.recipe import whole_batches


class ShuffledBatches:
    """Batches of indices in an order that depends on seed and epoch alone, so that methods and heads see the same images together.

    Args:
        length: N.
        batch_size: images in a batch. An incomplete last batch is dropped, unless it is the only one.
        seed: of the order.

    Attributes:
        epoch: the order is of this one, counted from 0.
        steps: batches of the epoch; fewer in a last one that ends early.
    """

    def __init__(self, length: int, batch_size: int, seed: int) -> None:
        self.length, self.batch_size, self.seed, self.epoch = length, min(batch_size, length), seed, 0
        self.steps = length // max(1, self.batch_size)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        order = self._order(torch.Generator().manual_seed(mixed(self.seed, self.epoch)))
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size]

    def _order(self, generator: torch.Generator) -> list[int]:
        """Indices, batch after batch."""
        order: list[int] = torch.randperm(self.length, generator=generator).tolist()
        return order


class SingleClassBatches(ShuffledBatches):
    """Batches with images of one class each, as Skip Tuning (Wu et al. 2025) trains on them; they depend on labels, seed and epoch alone.

    Each batch is of a class drawn among those with enough images left, and has images drawn among these; classes have equal chances. Images
    that do not fill a batch are dropped. If no class has as many images as a batch, batches are shuffled over all classes.

    Args:
        labels: of the N images.
        batch_size: images in a batch.
        seed: of the order.
    """

    def __init__(self, labels: Sequence[int], batch_size: int, seed: int) -> None:
        super().__init__(len(labels), batch_size, seed)
        self.steps = whole_batches(labels, batch_size) or self.steps
        classes: dict[int, list[int]] = {}  # indices of images by label
        for index, label in enumerate(labels):
            classes.setdefault(label, []).append(index)
        self._classes = [images for images in classes.values() if len(images) >= batch_size]

    def _order(self, generator: torch.Generator) -> list[int]:
        if not self._classes:
            return super()._order(generator)
        size, order = self.batch_size, list[int]()
        left = [[images[i] for i in torch.randperm(len(images), generator=generator).tolist()] for images in self._classes]
        while left:
            place = int(torch.randint(len(left), (), generator=generator))
            order += left[place][-size:]
            del left[place][-size:]
            if len(left[place]) < size:
                del left[place]
        return order


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
