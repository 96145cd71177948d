"""The training of one run, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.utils.data import Dataset

from depthub.spec import Training
from depthub.training.checkpoint import Checkpoint
from depthub.training.history import History
from depthub.training.tuner import Tuner
from depthub.types import ClassSet

Labelled = Dataset[tuple[Tensor, int]] | Dataset[tuple[Tensor, ...]]
OnEpoch = Callable[[int, float], None]


@dataclass(eq=False)
class TrainingJob:
    """The training of one run.

    Args:
        tuner: is trained in place; not changed if it has no trainable parameter.
        images: pixels or features, with labels into `classes`.
        classes: the M training classes.
        training: the recipe; its batch size is the global one, over all processes.
        seed: of the order of the images, which depends on it and the epoch alone.
        checkpoint: training resumes from it, and writes it after every epoch.
        on_epoch: called with the number of epochs done and the mean loss.
        workers: processes that read images.
        graphs: whether its steps are replayed from a CUDA graph.
        history: takes a line after every epoch.
        seconds: of its training so far, with reading its images; those of the checkpoint and of every epoch are added.
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
    history: History | None = None
    seconds: float = 0.0
