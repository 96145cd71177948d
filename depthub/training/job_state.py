"""One of the runs in the training loop, from epoch to epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import torch
from accelerate import Accelerator

from depthub.compute.processes import gathered
from depthub.data.views import PerEpoch, mixed
from depthub.errors import DepthubError, DivergedError
from depthub.recipe import Length
from depthub.training.batches import ShuffledBatches, SingleClassBatches
from depthub.training.job import TrainingJob
from depthub.training.schedule import learning_rate, learning_rate_of_step
from depthub.training.tuner import overrides


class JobState:
    """A run between its epochs: the number done, its batches, and its parameter groups in the optimiser.

    Args:
        job: the run.
        first: index of its first parameter group in the optimiser, which holds copies of the groups in the same order.

    Attributes:
        recipe: with the number of epochs, also where the job's own counts steps.
        error: the reason for its end, None while it goes on.
    """

    def __init__(self, job: TrainingJob, first: int) -> None:
        self.job, self.first, self.length = job, first, job.length
        self.recipe = recipe = replace(job.training, epochs=self.length.epochs, steps_per_shot=0)
        self.order = _order(job)
        self.epoch = 0
        self.error: Exception | None = None
        try:
            if overrides(job.tuner.method, "prepare"):
                _prepare(job)
            self.groups = job.tuner.parameter_groups(recipe.lr)
        except DepthubError as error:
            self.groups, self.error = [], error
        for group in self.groups:
            group.update(momentum=recipe.momentum, weight_decay=recipe.weight_decay)  # AdamW does not read momentum
        self.rates = [group["lr"] for group in self.groups]

    @property
    def goes_on(self) -> bool:
        """Whether there is another epoch to train."""
        return self.error is None and self.epoch < self._last and bool(self.groups)

    @property
    def steps(self) -> int:
        """Of the next epoch."""
        return self.length.of_epoch(self.epoch)

    def keep_prepared(self, accelerator: Accelerator) -> None:
        """Save what the method was prepared with, if that is all that there is to its training."""
        prepared = overrides(self.job.tuner.method, "prepare") and not self.error
        if prepared and self.job.checkpoint and accelerator.is_main_process:
            self.job.checkpoint.save(self.job.tuner, None, 0)

    def resume(self, optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> None:
        """Go on from the last checkpoint, if there is one; a checkpoint of another run fails this one."""
        checkpoint = self.job.checkpoint
        if not checkpoint or not self.groups:
            return
        try:
            self.epoch = checkpoint.restore(self.job.tuner, optimizer, accelerator.scaler)
            if len({*gathered(self.epoch)}) > 1:
                raise DepthubError(f"{checkpoint.path} is not the same for all processes; put the folder of runs on a disk that they share")
            if self.job.epochs not in (0, self.epoch):  # the parameters are those of another epoch
                raise DepthubError(f"{checkpoint.path} has changed or disappeared during the training; run again")
            if self.job.history and accelerator.is_main_process:
                self.job.history.resume(self.epoch)
            if self.job.on_start:
                self.job.on_start(self.epoch)
        except DepthubError as error:
            self.error = error
        if not self.job.epochs:  # those of earlier parts are counted
            self.job.seconds += checkpoint.seconds
        self.job.epochs = self.epoch

    def begin_epoch(self, optimizer: torch.optim.Optimizer) -> int:
        """Set the order, the views and the learning rates of the epoch; returns the seed of its random numbers."""
        job = self.job
        self.order.epoch, self.order.steps = self.epoch, self.steps
        if isinstance(job.images, PerEpoch):
            job.images.epoch = self.epoch
        if self.recipe.schedule == "epoch":
            self._set_rates(optimizer, lambda base: learning_rate(base, self.epoch, self.recipe))
        return mixed(job.seed, self.epoch)

    @property
    def notes_steps(self) -> bool:
        """Whether `begin_step` has something to do."""
        return self.recipe.schedule == "step" or overrides(self.job.tuner.method, "before_step")

    def begin_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Set the learning rates of a step of the epoch, counted from 0, where they change with every step, and tell the method of it."""
        done = self.epoch * self.length.batches + step
        if self.recipe.schedule == "step":
            begin, end = stage_of(done, self.length.steps, self.job.tuner.method.stages)
            stage = Length(self.length.batches, end - begin)
            self._set_rates(optimizer, lambda base: learning_rate_of_step(base, done - begin, self.recipe, stage))
        self.job.tuner.method.before_step(done, self.length.steps)

    def end_epoch(self, loss: float, seconds: float, optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> None:
        """Count the epoch and save its result, or record an error, which ends this run but not those trained with it."""
        job = self.job
        self.epoch += 1
        job.epochs, job.seconds = self.epoch, job.seconds + seconds
        try:
            self._check(isfinite(loss), f"the loss is {loss}")
            job.tuner.after_epoch(self.epoch, self.recipe.epochs)
            unfit = [name for name, value in job.tuner.tuned().items() if not value.isfinite().all()]
            self._check(not unfit, f"{' and '.join(unfit[:2])} {'is' if len(unfit) == 1 else 'are'} not finite")
            if job.history and accelerator.is_main_process:  # before the checkpoint: lines without one are dropped on resuming
                job.history.add(self.epoch, loss, self._current_rates(optimizer), seconds)
            if job.checkpoint and accelerator.is_main_process:
                job.checkpoint.save(job.tuner, optimizer, self.epoch, job.seconds, accelerator.scaler)
        except Exception as error:
            self.error = error
            return
        if job.on_epoch and accelerator.is_main_process:
            job.on_epoch(self.epoch, loss)

    @property
    def _last(self) -> int:
        """The epoch after which this part ends."""
        return self.recipe.epochs if self.job.until is None else min(self.job.until, self.recipe.epochs)

    def _current_rates(self, optimizer: torch.optim.Optimizer) -> dict[str, float]:
        """Learning rates of the epoch, or of its last step, of method and head."""
        return {group["name"]: group["lr"] for group in self._groups_in(optimizer)}

    def _set_rates(self, optimizer: torch.optim.Optimizer, rate: Callable[[float], float]) -> None:
        """Set the rate of each parameter group, which follows from its base rate."""
        for group, base in zip(self._groups_in(optimizer), self.rates, strict=True):
            group["lr"] = rate(base)

    def _groups_in(self, optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
        """The parameter groups of this run."""
        return optimizer.param_groups[self.first : self.first + len(self.rates)]

    def _check(self, condition: bool, finding: str) -> None:
        recipe = self.recipe
        if not condition:
            other = "" if recipe.precision == "fp32" else f", or set training.precision to fp32 ({recipe.precision})"
            raise DivergedError(f"{finding} in epoch {self.epoch}: the run diverged; lower training.lr ({recipe.lr}){other}", self.epoch)


def stage_of(step: int, steps: int, stages: Sequence[float]) -> tuple[int, int]:
    """The first step of the stage that a step is in, and the first behind it; see `Method.stages`."""
    bounds = [0, *(int(share * steps) for share in stages), steps]
    begin = max(bound for bound in bounds if bound <= step)
    return begin, min(bound for bound in bounds if bound > begin)


def _prepare(job: TrainingJob) -> None:
    """Give the method the whole training set; its random numbers depend on the seed alone."""
    images: Any = job.images if job.prepared is None else job.prepared
    if isinstance(images, PerEpoch) and job.prepared is None:
        images.epoch = 0
    items = [images[i] for i in range(len(images))]
    device = job.tuner.backbone.scale.device
    labels = torch.tensor([int(label) for _, label in items], device=device)
    with torch.random.fork_rng():
        torch.manual_seed(job.seed)
        job.tuner.prepare(torch.stack([image for image, _ in items]).to(device), labels)


def _order(job: TrainingJob) -> ShuffledBatches:
    """The batches of a run."""
    recipe = job.training
    if recipe.batches == "single_class":
        return SingleClassBatches(job.labels, recipe.batch_size, job.seed)
    return ShuffledBatches(len(job.images), recipe.batch_size, job.seed)  # type: ignore[arg-type]
