"""The one training loop; the one evaluation loop is beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from time import perf_counter
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader

from depthub.compute.device import undisturbed
from depthub.compute.processes import add_gradients, gathered
from depthub.data.loader import loader, on_device
from depthub.data.views import PerEpoch, mixed
from depthub.errors import DepthubError
from depthub.spec import Training
from depthub.training.batches import ProcessBatches, ShuffledBatches, StackedBatches
from depthub.training.checkpoint import Checkpoint
from depthub.training.graphs import GraphedStep
from depthub.training.job import Labelled, OnEpoch, TrainingJob
from depthub.training.schedule import learning_rate
from depthub.training.stack import Stack
from depthub.training.tuner import Tuner
from depthub.types import ClassSet

Step = Callable[..., Tensor]


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
        tuner, images, classes, training, seed, checkpoint, on_epoch, workers: see `TrainingJob`.
        accelerator: gives device, precision and processes.

    Raises:
        DepthubError: if the loss or what is tuned is no longer finite, or the checkpoint is damaged, another's or cannot be written.
    """
    (error,) = fit_together([TrainingJob(tuner, images, classes, training, seed, checkpoint, on_epoch, workers)], accelerator)
    if error:
        raise error


def fit_together(jobs: Sequence[TrainingJob], accelerator: Accelerator) -> list[Exception | None]:
    """Tune several runs step by step, each as if it were alone.

    Args:
        jobs: the runs; several only in one process, and only if `grouping.group_jobs` puts them together.
        accelerator: as in `fit`.

    Returns:
        What each run failed with: numbers that are no longer finite, a checkpoint that is damaged, another's or cannot be written, and
        whatever its method's `after_epoch` raises end that run only.

    Raises:
        Exception: with several processes, what the run failed with; the others may know nothing of it, see `ranks.together`.
    """
    states: list[_JobState] = []
    groups: list[dict[str, Any]] = []
    for job in jobs:
        states.append(_JobState(job, len(groups)))
        groups += states[-1].groups
    if not groups:
        return [state.error for state in states]
    optimizer = torch.optim.SGD(groups)
    for state in states:
        state.resume(optimizer, accelerator)
    going = [state for state in states if state.goes_on]
    while going:
        going = _until_one_ends(going, optimizer, accelerator)
    if accelerator.num_processes > 1 and (error := states[0].error):
        raise error
    return [state.error for state in states]


class _JobState:
    """One run on its way through the epochs.

    Args:
        job: the run.
        first: place of its first parameter group in the optimiser, which keeps their order but not the objects.
    """

    def __init__(self, job: TrainingJob, first: int) -> None:
        recipe, self.job, self.first = job.training, job, first
        self.order = ShuffledBatches(len(job.images), recipe.batch_size, job.seed)  # type: ignore[arg-type]
        own = {"momentum": recipe.momentum, "weight_decay": recipe.weight_decay}
        self.epoch = 0
        self.error: Exception | None = None
        try:
            self.groups = [{**group, **own} for group in job.tuner.parameter_groups(recipe.lr)]
        except DepthubError as error:
            self.groups, self.error = [], error
        self.rates = [group["lr"] for group in self.groups]

    @property
    def goes_on(self) -> bool:
        return self.error is None and self.epoch < self.job.training.epochs and bool(self.groups)

    def resume(self, optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> None:
        """Go on from the last checkpoint, if there is one; a checkpoint that is none of the run's is its failure."""
        checkpoint = self.job.checkpoint
        if not checkpoint or not self.groups:
            return
        try:
            self.epoch = checkpoint.restore(self.job.tuner, optimizer, accelerator.scaler)
            if len({*gathered(self.epoch)}) > 1:
                raise DepthubError(f"{checkpoint.path} is not the same for all processes; put the folder of runs on a disk that they share")
        except DepthubError as error:
            self.error = error
        self.job.seconds += checkpoint.seconds

    def begin_epoch(self, optimizer: torch.optim.Optimizer) -> int:
        """Set the order, the views and the learning rates of the epoch; returns the seed of what is drawn in it."""
        job, self.order.epoch = self.job, self.epoch
        if isinstance(job.images, PerEpoch):
            job.images.epoch = self.epoch
        own = optimizer.param_groups[self.first : self.first + len(self.rates)]
        for group, rate in zip(own, self.rates, strict=True):
            group["lr"] = learning_rate(rate, self.epoch, job.training)
        return mixed(job.seed, self.epoch)

    def end_epoch(self, loss: float, seconds: float, optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> None:
        """Count the epoch and keep what it gave, or fail; what one run fails with does not end those that train along."""
        job, recipe = self.job, self.job.training
        self.epoch += 1
        job.seconds += seconds
        try:
            self._check(isfinite(loss), f"the loss is {loss}")
            job.tuner.after_epoch(self.epoch, recipe.epochs)
            unfit = [name for name, value in job.tuner.tuned().items() if not value.isfinite().all()]
            self._check(not unfit, f"{' and '.join(unfit[:2])} {'is' if len(unfit) == 1 else 'are'} not finite")
            if job.checkpoint and accelerator.is_main_process:
                job.checkpoint.save(job.tuner, optimizer, self.epoch, job.seconds, accelerator.scaler)
        except Exception as error:
            self.error = error
            return
        if job.on_epoch and accelerator.is_main_process:
            job.on_epoch(self.epoch, loss)

    def _check(self, fit: bool, seen: str) -> None:
        recipe = self.job.training
        if not fit:
            other = "" if recipe.precision == "fp32" else f", or set training.precision to fp32 ({recipe.precision})"
            raise DepthubError(f"{seen} in epoch {self.epoch}: the run diverged; lower training.lr ({recipe.lr}){other}")


def _until_one_ends(states: list[_JobState], optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> list[_JobState]:
    """Go on epoch by epoch until a run has done its last or failed; returns the others."""
    since, first = perf_counter(), states[0].job
    stack = Stack([state.job.tuner for state in states])
    with undisturbed():  # for mixed precision only: gradients are added up here, so that unlike parts of a batch count for what they are
        model, stepper = accelerator.prepare_model(stack, evaluation_mode=True), accelerator.prepare_optimizer(optimizer)
    model.train()
    batches = ProcessBatches(StackedBatches([state.order for state in states]), accelerator.process_index, accelerator.num_processes)
    loaded = loader(ConcatDataset([state.job.images for state in states]), accelerator.device, first.workers, batch_sampler=batches)
    step: Step = partial(_step, model, first.classes, stepper, accelerator, batches.weight, [*first.tuner.tuned().values()])
    graphed = GraphedStep(step, stack.forbid_random_draws) if first.graphs else None
    while all(state.goes_on for state in states):
        seeds = [state.begin_epoch(optimizer) for state in states]
        if graphed:
            graphed.invalidate()  # the learning rates are others
        with torch.random.fork_rng():  # what a method draws in training depends on seed and epoch, so that resuming is exact
            stack.seed(seeds)
            losses = _epoch(graphed or step, loaded, accelerator)
        now = perf_counter()
        for state, loss in zip(states, losses, strict=True):
            state.end_epoch(loss, (now - since) / len(states), optimizer, accelerator)
        since = now
    return [state for state in states if state.goes_on]


def _epoch(step: Step, loaded: DataLoader[tuple[Tensor, Tensor]], accelerator: Accelerator) -> list[float]:
    """One pass; returns the mean loss of the steps of each run, over all processes."""
    total = torch.zeros((), device=accelerator.device)
    for images, labels in on_device(loaded, accelerator.device):
        total = total + step(images, labels)  # read once an epoch: no waiting for the device inside the loop
    if accelerator.num_processes > 1:
        total = accelerator.reduce(total)  # all processes learn alike whether the run diverged
    return [float(value) / len(loaded) for value in total.tolist()]


def _step(
    model: torch.nn.Module,
    classes: ClassSet,
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
    weight: float,
    tuned: Sequence[Tensor],
    images: Tensor,
    labels: Tensor,
) -> Tensor:
    """Train once; returns the loss of each run, (R,), times the weight of this process's part."""
    losses: list[dict[str, Tensor]] = model(images, labels, classes)
    each = torch.stack([torch.stack(list(parts.values())).sum() for parts in losses])
    if weight != 1:
        each = weight * each
    accelerator.backward(each.sum())  # no parameter is part of two runs' losses
    if accelerator.num_processes > 1:
        add_gradients(tuned)
    optimizer.step()
    optimizer.zero_grad()
    return each.detach()
