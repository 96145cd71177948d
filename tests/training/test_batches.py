"""The order of images in batches."""

from __future__ import annotations

import pytest
import torch

from depthub.training.batches import ShuffledBatches, StackedBatches


@pytest.mark.parametrize(("length", "batch", "steps"), [(22, 4, 5), (20, 4, 5), (3, 4, 1), (4, 4, 1), (1, 4, 1)])
def test_the_last_images_are_dropped_unless_there_is_no_full_batch(length: int, batch: int, steps: int) -> None:
    batches = list(ShuffledBatches(length, batch, seed=1))
    assert len(batches) == steps
    assert all(len(b) == min(batch, length) for b in batches)
    images = [i for b in batches for i in b]
    assert len(set(images)) == len(images)


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    def orders(seed: int) -> list[list[list[int]]]:
        order, of_epochs = ShuffledBatches(22, 4, seed), []
        for epoch in range(3):
            order.epoch = epoch
            torch.rand(epoch + seed)  # other draws in between
            of_epochs.append(list(order))
        return of_epochs

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)
    first, second, third = orders(1)
    assert first != second != third != first


def test_batches_of_a_stack_lie_side_by_side() -> None:
    first, second = (ShuffledBatches(10, 2, seed) for seed in (1, 2))
    together = list(StackedBatches([first, second]))
    assert together == [[*one, *(10 + i for i in other)] for one, other in zip(first, second, strict=True)]
