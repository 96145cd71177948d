"""The one training loop and the one evaluation loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from depthub.checkpoint import Checkpoint
from depthub.data.views import EpochOrder, PerEpoch, mixed
from depthub.errors import DepthubError
from depthub.metrics import count
from depthub.model import Tuner
from depthub.protocol import Count
from depthub.recording import Recorded
from depthub.schedule import learning_rate
from depthub.spec import Training
from depthub.stack import Abreast, Stack
from depthub.types import ClassSet

TEST_BATCH = 100
Labelled = Dataset[tuple[Tensor, int]] | Dataset[tuple[Tensor, ...]]
OnEpoch = Callable[[int, float], None]


@dataclass(eq=False)
class Course:
    """The training of one run.

    Args:
        tuner: is changed in place; left as it is if nothing of it is trainable.
        images: pixels or features, with labels into `classes`.
        classes: the M training classes.
        training: the recipe; its batch size is the global one, over all processes.
        seed: of the order of the images, which depends on nothing else.
        checkpoint: resumed from, and written after every epoch.
        on_epoch: told the number of epochs done and the mean loss.
        workers: processes that read images.
        graphs: play its steps from a CUDA graph.
    """

    tuner: Tuner
    images: Labelled
    classes: ClassSet
    training: Training
    seed: int
    checkpoint: Checkpoint | None = None
    on_epoch: OnEpoch | None = None
    workers: int = 0
    graphs: bool = False


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
        tuner, images, classes, training, seed, checkpoint, on_epoch, workers: see `Course`.
        accelerator: gives device, precision and processes.

    Raises:
        DepthubError: if the loss is no longer finite, the checkpoint is damaged or another's, or the batch cannot be divided among the
            processes.
    """
    (error,) = fit_together([Course(tuner, images, classes, training, seed, checkpoint, on_epoch, workers)], accelerator)
    if error:
        raise error


def fit_together(courses: Sequence[Course], accelerator: Accelerator) -> list[DepthubError | None]:
    """Tune several runs step by step, each as if it were alone.

    Args:
        courses: the runs; several only in one process, and only if `stack.arrange` puts them together.
        accelerator: as in `fit`.

    Returns:
        What each run failed with: a loss that is no longer finite, or a checkpoint that is damaged or another's, ends that run only.

    Raises:
        DepthubError: if the batch cannot be divided among the processes.
    """
    lanes: list[_Lane] = []
    groups: list[dict[str, Any]] = []
    for course in courses:
        lanes.append(_Lane(course, len(groups)))
        groups += lanes[-1].groups
    if not groups:
        return [None] * len(lanes)
    batch = lanes[0].order.batch_size
    if batch % accelerator.num_processes:
        raise DepthubError(f"a batch of {batch} images cannot be divided among {accelerator.num_processes} processes; choose a multiple")
    optimizer = torch.optim.SGD(groups)
    for lane in lanes:
        lane.resume(optimizer)
    going = [lane for lane in lanes if lane.goes_on]
    while going:
        going = _until_one_ends(going, optimizer, accelerator)
    return [lane.error for lane in lanes]


class _Lane:
    """One run on its way through the epochs.

    Args:
        course: the run.
        first: place of its first parameter group in the optimiser, which keeps their order but not the objects.
    """

    def __init__(self, course: Course, first: int) -> None:
        recipe, self.course, self.first = course.training, course, first
        self.order = EpochOrder(len(course.images), recipe.batch_size, course.seed)  # type: ignore[arg-type]
        own = {"momentum": recipe.momentum, "weight_decay": recipe.weight_decay}
        self.groups = [{**group, **own} for group in course.tuner.parameter_groups(recipe.lr)]
        self.rates = [group["lr"] for group in self.groups]
        self.epoch = 0
        self.error: DepthubError | None = None

    @property
    def goes_on(self) -> bool:
        return self.error is None and self.epoch < self.course.training.epochs and bool(self.groups)

    def resume(self, optimizer: torch.optim.Optimizer) -> None:
        """Go on from the last checkpoint, if there is one; a checkpoint that is none of the run's is its failure."""
        if self.course.checkpoint:
            try:
                self.epoch = self.course.checkpoint.restore(self.course.tuner, optimizer)
            except DepthubError as error:
                self.error = error

    def begin_epoch(self, optimizer: torch.optim.Optimizer) -> int:
        """Set the order, the views and the learning rates of the epoch; returns the seed of what is drawn in it."""
        course, self.order.epoch = self.course, self.epoch
        if isinstance(course.images, PerEpoch):
            course.images.epoch = self.epoch
        own = optimizer.param_groups[self.first : self.first + len(self.rates)]
        for group, rate in zip(own, self.rates, strict=True):
            group["lr"] = learning_rate(rate, self.epoch, course.training)
        return mixed(course.seed, self.epoch)

    def end_epoch(self, loss: float, optimizer: torch.optim.Optimizer, record: bool) -> None:
        """Count the epoch and keep what it gave, or fail."""
        course, recipe = self.course, self.course.training
        self.epoch += 1
        if not isfinite(loss):
            self.error = DepthubError(f"the loss is {loss} in epoch {self.epoch}: the run diverged; lower training.lr ({recipe.lr})")
            return
        course.tuner.method.after_epoch(self.epoch, recipe.epochs)
        if course.checkpoint and record:
            course.checkpoint.save(course.tuner, optimizer, self.epoch)
        if course.on_epoch and record:
            course.on_epoch(self.epoch, loss)


def _until_one_ends(lanes: list[_Lane], optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> list[_Lane]:
    """Go on epoch by epoch until a run has done its last or failed; returns the others."""
    stack = Stack([lane.course.tuner for lane in lanes])
    images: Labelled = ConcatDataset([lane.course.images for lane in lanes])
    loader = DataLoader(
        images,
        batch_sampler=Abreast([lane.order for lane in lanes]),
        num_workers=lanes[0].course.workers,
        pin_memory=accelerator.device.type == "cuda",
        generator=torch.Generator(),  # what loading draws is no part of what the runs draw
    )
    model, stepper, loader = accelerator.prepare(stack, optimizer, loader)
    model.train()
    step = partial(_step, model, lanes[0].course.classes, stepper, accelerator)
    recorded = Recorded(step, stack.settle) if lanes[0].course.graphs else None
    while all(lane.goes_on for lane in lanes):
        seeds = [lane.begin_epoch(optimizer) for lane in lanes]
        if recorded:
            recorded.renew()  # the learning rates are others
        with torch.random.fork_rng():  # what a method draws in training depends on seed and epoch, so that resuming is exact
            stack.seed(seeds)
            losses = _epoch(recorded or step, loader)
        for lane, loss in zip(lanes, losses, strict=True):
            lane.end_epoch(loss, optimizer, accelerator.is_main_process)
    return [lane for lane in lanes if lane.goes_on]


def _epoch(step: Callable[..., Tensor], loader: DataLoader[tuple[Tensor, Tensor]]) -> list[float]:
    """One pass; returns the mean loss of the steps of each run."""
    total: Tensor | float = 0.0
    for images, labels in loader:
        total = total + step(images, labels)  # read once an epoch: no waiting for the device inside the loop
    return [float(value) / len(loader) for value in torch.as_tensor(total).tolist()]


def _step(
    model: torch.nn.Module,
    classes: ClassSet,
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
    images: Tensor,
    labels: Tensor,
) -> Tensor:
    """Train once; returns the loss of each run, (R,)."""
    losses: list[dict[str, Tensor]] = model(images, labels, classes)
    each = torch.stack([torch.stack(list(parts.values())).sum() for parts in losses])
    accelerator.backward(each.sum())  # no parameter is part of two runs' losses
    optimizer.step()
    optimizer.zero_grad()
    return each.detach()


@torch.no_grad()
def evaluate(tuner: Tuner, images: Labelled, classes: ClassSet, accelerator: Accelerator, workers: int = 0) -> Count:
    """Count the correct predictions over all images, each counted once whatever the number of processes."""
    pinned = accelerator.device.type == "cuda"
    loader = accelerator.prepare(DataLoader(images, batch_size=TEST_BATCH, num_workers=workers, pin_memory=pinned))
    tuner.eval()
    predicted, labels = [], []
    for pixels, truth in loader:
        with accelerator.autocast():
            guess = tuner(pixels, classes).argmax(dim=-1)
        gathered = accelerator.gather_for_metrics((guess, truth))
        predicted.append(gathered[0].cpu())
        labels.append(gathered[1].cpu())
    return count(torch.cat(predicted).numpy(), torch.cat(labels).numpy(), len(classes))
