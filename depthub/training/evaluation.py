"""The one evaluation loop: from a tuned model and test images to predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import Subset

from depthub.compute.processes import gathered, share
from depthub.data.loader import OnProgress, loader, on_device
from depthub.errors import DepthubError
from depthub.records.predictions import BEST, Predictions
from depthub.training.tuner import Tuner
from depthub.types import ClassSet

TEST_BATCH = 100
LEAST = torch.finfo(torch.float32).tiny  # a probability of 0 has no logarithm: the smallest normal number stands for it


@torch.no_grad()
def evaluate(
    tuner: Tuner,
    images: Any,
    classes: ClassSet,
    accelerator: Accelerator,
    workers: int = 0,
    *,
    task: str = "",
    on_progress: OnProgress | None = None,
    on_logits: Callable[[Tensor, Tensor], None] | None = None,
) -> Predictions:
    """Predictions for the images, in their order. Several processes divide whole batches: each image is scored among the same others with
    any number of processes.

    Args:
        tuner: is put into evaluation mode.
        images: pixels or features, with labels into `classes`.
        classes: the M classes to tell apart.
        accelerator: gives device, precision and processes.
        workers: processes that read images.
        task: its name, for messages.
        on_progress: called after each batch with the number of images done, as far as this process knows, and of all.
        on_logits: called with each batch's logits, (B, M) float32, and labels, (B,), in the order of this process's images.

    Raises:
        DepthubError: if there are no images, scores are not finite or have another shape, or an image cannot be read.
    """
    total, rank, processes = len(images), accelerator.process_index, accelerator.num_processes
    if not total:
        raise DepthubError(f"{_subject(task)} has no test images; there is nothing to measure")
    tuner.eval()
    part = share(total, rank, processes, TEST_BATCH)
    batches = loader(images if processes == 1 else Subset(images, part), accelerator.device, workers, batch_size=TEST_BATCH)
    probabilities, readings, done = tuner.gives_probabilities(classes), [], 0
    for pixels, labels in on_device(batches, accelerator.device):
        with accelerator.autocast():
            scores = tuner(pixels, classes)
        logits = (scores.clamp(min=LEAST).log() if probabilities else scores).float()
        readings.append(_reading(scores, logits, labels))
        if on_logits:
            on_logits(logits, labels)
        done += len(labels)
        if on_progress:
            on_progress(min(total, processes * done), total)
    return _predictions(readings, len(classes), task)


def _predictions(readings: Sequence[tuple[Tensor, ...]], n_classes: int, task: str) -> Predictions:
    """The predictions of all processes, in the order of their images, from the readings of this process's batches."""
    columns = [torch.cat(column).cpu().numpy() for column in zip(*readings, strict=True)]
    of_processes = [of_process for of_process in gathered(columns) if of_process]  # a process may have no image
    columns = [np.concatenate(column) for column in zip(*of_processes, strict=True)]
    labels, best, of_best, true, log_sum_exp, finite = columns
    broken = int((~finite).sum())
    if broken:
        raise DepthubError(
            f"{_subject(task)}: the scores of {broken} of {len(finite)} images are not finite; lower training.lr, "
            "set training.precision to fp32, or check the weights of the backbone"
        )
    return Predictions(labels, best, of_best, true, log_sum_exp, n_classes)


def _subject(task: str) -> str:
    return f"test task {task!r}" if task else "the test task"


def _reading(scores: Tensor, logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """The columns of `Predictions` for a batch, from scores and logits (B, M), and whether all of an image are finite, (B,)."""
    best = _best(scores, min(BEST, scores.shape[1]))
    labels = labels.long()
    true, log_sum_exp = logits.gather(1, labels[:, None])[:, 0], logits.logsumexp(dim=1)
    # both in fp32, as they are stored, and in the precision of the scores
    finite = (logits.isfinite() & scores.isfinite()).all(dim=1) & log_sum_exp.isfinite()
    return labels.int(), best.int(), logits.gather(1, best), true, log_sum_exp, finite


def _best(scores: Tensor, number: int) -> Tensor:
    """Classes with the highest scores, best first, (B, number); of equal ones the first. For a few much faster than to sort all."""
    remaining, best = scores.clone(), []
    for _ in range(number):
        best.append(remaining.argmax(dim=1, keepdim=True))
        remaining.scatter_(1, best[-1], -torch.inf)
    return torch.cat(best, dim=1)
