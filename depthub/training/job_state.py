"""One of the runs in the training loop, from epoch to epoch."""

from __future__ import annotations

from math import isfinite
from typing import Any

import torch
from accelerate import Accelerator

from depthub.compute.processes import gathered
from depthub.data.views import PerEpoch, mixed
from depthub.errors import DepthubError, DivergedError
from depthub.training.batches import ShuffledBatches
from depthub.training.job import TrainingJob
from depthub.training.schedule import set_learning_rates


class JobState:
    """A run between its epochs: the number done, its batches, and its parameter groups in the optimiser.

    Args:
        job: the run.
        first: index of its first parameter group in the optimiser, which holds copies of the groups in the same order.

    Attributes:
        error: the reason for its end, None while it goes on.
    """

    def __init__(self, job: TrainingJob, first: int) -> None:
        recipe = job.training
        self.job, self.first = job, first
        self.order = ShuffledBatches(len(job.images), recipe.batch_size, job.seed)  # type: ignore[arg-type]
        self.epoch = 0
        self.error: Exception | None = None
        try:
            self.groups = job.tuner.parameter_groups(recipe.lr)
        except DepthubError as error:
            self.groups, self.error = [], error
        for group in self.groups:
            group.update(momentum=recipe.momentum, weight_decay=recipe.weight_decay)
        self.rates = [group["lr"] for group in self.groups]

    @property
    def goes_on(self) -> bool:
        """Whether there is another epoch to train."""
        return self.error is None and self.epoch < self._last and bool(self.groups)

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
        self.order.epoch = self.epoch
        if isinstance(job.images, PerEpoch):
            job.images.epoch = self.epoch
        set_learning_rates(self._groups_in(optimizer), self.rates, self.epoch, job.training)
        return mixed(job.seed, self.epoch)

    def end_epoch(self, loss: float, seconds: float, optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> None:
        """Count the epoch and save its result, or record an error, which ends this run but not those trained with it."""
        job, recipe = self.job, self.job.training
        self.epoch += 1
        job.epochs, job.seconds = self.epoch, job.seconds + seconds
        try:
            self._check(isfinite(loss), f"the loss is {loss}")
            job.tuner.after_epoch(self.epoch, recipe.epochs)
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
        epochs = self.job.training.epochs
        return epochs if self.job.until is None else min(self.job.until, epochs)

    def _current_rates(self, optimizer: torch.optim.Optimizer) -> dict[str, float]:
        """Learning rates of the epoch, of method and head."""
        return {group["name"]: group["lr"] for group in self._groups_in(optimizer)}

    def _groups_in(self, optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
        """The parameter groups of this run."""
        return optimizer.param_groups[self.first : self.first + len(self.rates)]

    def _check(self, condition: bool, finding: str) -> None:
        recipe = self.job.training
        if not condition:
            other = "" if recipe.precision == "fp32" else f", or set training.precision to fp32 ({recipe.precision})"
            raise DivergedError(f"{finding} in epoch {self.epoch}: the run diverged; lower training.lr ({recipe.lr}){other}", self.epoch)
