"""The training of one run, as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.utils.data import Dataset

from depthub.recipe import Length, Training
from depthub.training.checkpoint import Checkpoint
from depthub.training.history import History
from depthub.training.tuner import Tuner
from depthub.types import ClassSet

Labelled = Dataset[tuple[Tensor, int]] | Dataset[tuple[Tensor, ...]]
OnEpoch = Callable[[int, float], None]
OnStart = Callable[[int], None]


@dataclass(eq=False)
class TrainingJob:
    """The training of one run, as a whole or in parts: a job with `until` set anew goes on from the checkpoint of its last part.

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
        until: the part ends after this epoch; None: after the last.
        epochs: done so far.
        prepared: images that the method is prepared with; None: `images`.
        labels: of the images, for batches of single classes.
        shots: images per class that the run asks for, for a recipe that counts steps per shot.
        on_start: called at the start of every part, in every process, with the epochs that the checkpoint has done, and so are kept.
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
    until: int | None = None
    epochs: int = 0
    on_start: OnStart | None = None
    labels: Sequence[int] = ()
    prepared: Labelled | None = None
    shots: int = 1

    @property
    def length(self) -> Length:
        """Of the whole training."""
        assert self.labels or self.training.batches == "shuffled", "batches of single classes need labels"
        return self.training.length(self.labels or range(len(self.images)), self.shots)  # type: ignore[arg-type]
