"""The one training loop, for one run or for several that train as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader

from depthub.compute.device import undisturbed
from depthub.compute.processes import add_gradients
from depthub.data.loader import loader, on_device
from depthub.spec import Training
from depthub.training.batches import ProcessBatches, StackedBatches
from depthub.training.checkpoint import Checkpoint
from depthub.training.graphs import GraphedStep
from depthub.training.job import Labelled, OnEpoch, TrainingJob
from depthub.training.job_state import JobState
from depthub.training.stack import Stack
from depthub.training.tuner import Tuner
from depthub.types import ClassSet

Step = Callable[..., Tensor]
OPTIMIZERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adamw": partial(torch.optim.AdamW, betas=(0.9, 0.999), eps=1e-8),
    "adam": partial(torch.optim.Adam, betas=(0.9, 0.999), eps=1e-8),
}


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
        DepthubError: if the loss or a parameter is no longer finite, or the checkpoint is damaged, another run's or cannot be written.
    """
    (error,) = fit_together([TrainingJob(tuner, images, classes, training, seed, checkpoint, on_epoch, workers)], accelerator)
    if error:
        raise error


def fit_together(jobs: Sequence[TrainingJob], accelerator: Accelerator) -> list[Exception | None]:
    """Tune several runs step by step, each as if it were alone.

    Args:
        jobs: the runs; more than one only in a single process and only as grouped by `group_jobs`.
        accelerator: as in `fit`.

    Returns:
        The error of each run, or None. Numbers that are no longer finite, a checkpoint that is damaged, another run's or cannot be written,
        and any error of its method's `after_epoch` end that run only.

    Raises:
        Exception: with several processes, the error of the run; it may have occurred in this process alone, see `processes.together`.
    """
    states: list[JobState] = []
    groups: list[dict[str, Any]] = []
    for job in jobs:
        states.append(JobState(job, len(groups)))
        groups += states[-1].groups
    if not groups:
        for state in states:
            state.keep_prepared(accelerator)
        return [state.error for state in states]
    optimizer = OPTIMIZERS[jobs[0].training.optimizer](groups)
    for state in states:
        state.resume(optimizer, accelerator)
    going = [state for state in states if state.goes_on]
    while going:
        _until_one_ends([state for state in going if state.steps == going[0].steps], optimizer, accelerator)
        going = [state for state in going if state.goes_on]
    error = states[0].error
    if accelerator.num_processes > 1 and error:
        raise error
    return [state.error for state in states]


def _until_one_ends(states: list[JobState], optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> None:
    """Train epoch by epoch until one of the runs ends, or has fewer steps in its last epoch than others in the same one."""
    since = perf_counter()
    stack, loaded, step = stepper(states, optimizer, accelerator)
    graphed = GraphedStep(step, stack.forbid_random_draws) if states[0].job.graphs else None
    by_step = [state for state in states if state.notes_steps]
    while all(state.goes_on for state in states) and len({state.steps for state in states}) == 1:
        seeds = [state.begin_epoch(optimizer) for state in states]
        if graphed:
            graphed.invalidate()  # the learning rates have changed
        with torch.random.fork_rng():  # random numbers of training depend on seed and epoch alone, so that resuming is exact
            stack.seed(seeds)
            losses = _epoch(graphed or step, loaded, accelerator, [partial(state.begin_step, optimizer=optimizer) for state in by_step])
        now = perf_counter()
        for state, loss in zip(states, losses, strict=True):
            state.end_epoch(loss, (now - since) / len(states), optimizer, accelerator)
        since = now


def stepper(
    states: list[JobState], optimizer: torch.optim.Optimizer, accelerator: Accelerator
) -> tuple[Stack, DataLoader[tuple[Tensor, Tensor]], Step]:
    """The runs as one module, their batches, and the function that trains on one."""
    first, stack = states[0].job, Stack([state.job.tuner for state in states])
    with undisturbed():  # for mixed precision only: `_step` adds up gradients itself, so that parts of a batch count by their sizes
        model = accelerator.prepare_model(stack, evaluation_mode=True)
        prepared = accelerator.prepare_optimizer(optimizer)
    model.train()
    batches = ProcessBatches(StackedBatches([state.order for state in states]), accelerator.process_index, accelerator.num_processes)
    loaded = loader(ConcatDataset([state.job.images for state in states]), accelerator.device, first.workers, batch_sampler=batches)
    return stack, loaded, partial(_step, model, first.classes, prepared, accelerator, batches.weight, [*first.tuner.tuned().values()])


def _epoch(
    step: Step, loaded: DataLoader[tuple[Tensor, Tensor]], accelerator: Accelerator, before: Sequence[Callable[[int], None]]
) -> list[float]:
    """One pass; returns the mean loss of the steps of each run, over all processes. `before` is called with the number of each step."""
    total = torch.zeros((), device=accelerator.device)
    for number, (images, labels) in enumerate(on_device(loaded, accelerator.device)):
        for begin in before:
            begin(number)
        total = total + step(images, labels)  # read once per epoch: no waiting for the device inside the loop
    if accelerator.num_processes > 1:
        total = accelerator.reduce(total)  # every process must see whether the run diverged
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
