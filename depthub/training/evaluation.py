"""The one evaluation loop: from a tuned model and test images to what it predicts."""

from __future__ import annotations

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
) -> Predictions:
    """What is predicted for each image, in their order. Several processes divide whole batches: each image is scored among the same others,
    however many there are.

    Args:
        tuner: is put into the mode for testing.
        images: pixels or features, with labels into `classes`.
        classes: the M classes to tell apart.
        accelerator: gives device, precision and processes.
        workers: processes that read images.
        task: its name, for messages.
        on_progress: told the number of images done, as far as this process can tell, and of all, after each batch.

    Raises:
        DepthubError: if there is no image, scores are not finite or have another shape, or an image cannot be read.
    """
    total, rank, processes = len(images), accelerator.process_index, accelerator.num_processes
    if not total:
        raise DepthubError(f"{_named(task)} has no test images; there is nothing to measure")
    tuner.eval()
    own = share(total, rank, processes, TEST_BATCH)
    batches = loader(images if processes == 1 else Subset(images, own), accelerator.device, workers, batch_size=TEST_BATCH)
    probabilities, parts, done = tuner.gives_probabilities(classes), [], 0
    for pixels, labels in on_device(batches, accelerator.device):
        with accelerator.autocast():
            scores = tuner(pixels, classes)
        parts.append(_read(scores, labels, probabilities))
        done += len(labels)
        if on_progress:
            on_progress(min(total, processes * done), total)
    columns = [torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)]
    columns = [np.concatenate(column) for column in zip(*filter(None, gathered(columns)), strict=True)]
    labelled, best, of_best, true, log_sum_exp, finite = columns
    if broken := int((~finite).sum()):
        raise DepthubError(
            f"{_named(task)}: the scores of {broken} of {total} images are not finite; lower training.lr, set training.precision to fp32, "
            "or check the weights of the backbone"
        )
    return Predictions(labelled, best, of_best, true, log_sum_exp, len(classes))


def _named(task: str) -> str:
    return f"test task {task!r}" if task else "the test task"


def _read(scores: Tensor, labels: Tensor, probabilities: bool) -> tuple[Tensor, ...]:
    """Of each image of a batch what `Predictions` keeps, and whether all its scores (B, M) are finite, (B,)."""
    best = _best(scores, min(BEST, scores.shape[1]))
    logits = (scores.clamp(min=LEAST).log() if probabilities else scores).float()
    labels = labels.long()
    true, log_sum_exp = logits.gather(1, labels[:, None])[:, 0], logits.logsumexp(dim=1)
    # in fp32 as they are kept, and as they were
    finite = (logits.isfinite() & scores.isfinite()).all(dim=1) & log_sum_exp.isfinite()
    return labels.int(), best.int(), logits.gather(1, best), true, log_sum_exp, finite


def _best(scores: Tensor, number: int) -> Tensor:
    """Classes with the highest scores, best first, (B, number); of equal ones the first. For a few much faster than to sort all."""
    left, found = scores.clone(), []
    for _ in range(number):
        found.append(left.argmax(dim=1, keepdim=True))
        left.scatter_(1, found[-1], -torch.inf)
    return torch.cat(found, dim=1)
