"""The one training loop and the one evaluation loop."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from depthub.checkpoint import Checkpoint
from depthub.data.views import EpochOrder, Views, mixed
from depthub.errors import DepthubError
from depthub.metrics import count
from depthub.model import Tuner
from depthub.protocol import Count
from depthub.schedule import learning_rate
from depthub.spec import Training
from depthub.types import ClassSet

TEST_BATCH = 100
Labelled = Dataset[tuple[Tensor, int]] | Dataset[tuple[Tensor, ...]]
OnEpoch = Callable[[int, float], None]


def fit(
    tuner: Tuner,
    images: Labelled,
    classes: ClassSet,
    training: Training,
    seed: int,
    accelerator: Accelerator,
    *,
    checkpoint: Checkpoint | None = None,
    on_epoch: OnEpoch | None = None,
    workers: int = 0,
) -> None:
    """Tune on labelled images.

    Args:
        tuner: is changed in place; left as it is if nothing of it is trainable.
        images: pixels or features, with labels into `classes`.
        classes: the M training classes.
        training: the recipe; its batch size is the global one, over all processes.
        seed: of the order of the images, which depends on nothing else.
        accelerator: gives device, precision and processes.
        checkpoint: resumed from, and written after every epoch.
        on_epoch: told the number of epochs done and the mean loss.
        workers: processes that read images.

    Raises:
        DepthubError: if the loss is no longer finite, or the batch cannot be divided among the processes.
    """
    if not tuner.tuned():
        return
    order = EpochOrder(len(images), training.batch_size, seed)  # type: ignore[arg-type]
    if order.batch_size % accelerator.num_processes:
        raise DepthubError(
            f"a batch of {order.batch_size} images cannot be divided among {accelerator.num_processes} processes; choose a multiple"
        )
    optimizer = torch.optim.SGD(
        tuner.parameter_groups(training.lr), lr=training.lr, momentum=training.momentum, weight_decay=training.weight_decay
    )
    rates = [group["lr"] for group in optimizer.param_groups]
    done = checkpoint.restore(tuner, optimizer) if checkpoint else 0
    model, stepper, loader = accelerator.prepare(tuner, optimizer, DataLoader(images, batch_sampler=order, num_workers=workers))
    model.train()
    for epoch in range(done, training.epochs):
        order.epoch = epoch
        if isinstance(images, Views):
            images.epoch = epoch
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = learning_rate(rate, epoch, training)
        with torch.random.fork_rng():  # what a method draws in training depends on seed and epoch, so that resuming is exact
            torch.manual_seed(mixed(seed, epoch))
            loss = _epoch(model, loader, classes, stepper, accelerator)
        if not isfinite(loss):
            raise DepthubError(f"the loss is {loss} in epoch {epoch + 1}: the run diverged; lower training.lr ({training.lr})")
        if checkpoint and accelerator.is_main_process:
            checkpoint.save(tuner, optimizer, epoch + 1)
        if on_epoch and accelerator.is_main_process:
            on_epoch(epoch + 1, loss)


def _epoch(
    model: torch.nn.Module,
    loader: DataLoader[tuple[Tensor, Tensor]],
    classes: ClassSet,
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
) -> float:
    """One pass; returns the mean loss of its steps."""
    total: Tensor | float = 0.0
    for images, labels in loader:
        losses: dict[str, Tensor] = model(images, classes, labels)
        loss = torch.stack(list(losses.values())).sum()
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        total = total + loss.detach()  # read once an epoch: no waiting for the device inside the loop
    return float(total) / len(loader)


@torch.no_grad()
def evaluate(tuner: Tuner, images: Labelled, classes: ClassSet, accelerator: Accelerator, workers: int = 0) -> Count:
    """Count the correct predictions over all images, each counted once whatever the number of processes."""
    loader = accelerator.prepare(DataLoader(images, batch_size=TEST_BATCH, num_workers=workers))
    tuner.eval()
    predicted, labels = [], []
    for pixels, truth in loader:
        with accelerator.autocast():
            guess = tuner(pixels, classes).argmax(dim=-1)
        gathered = accelerator.gather_for_metrics((guess, truth))
        predicted.append(gathered[0].cpu())
        labels.append(gathered[1].cpu())
    return count(torch.cat(predicted).numpy(), torch.cat(labels).numpy(), len(classes))
