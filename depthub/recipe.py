"""The recipe of a training: optimiser, learning rates, batches and views, and the length that follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from depthub.errors import DepthubError
from depthub.values.checks import choice, number, whole

Optimizer = Literal["sgd", "adamw", "adam"]
Schedule = Literal["epoch", "step"]
Augmentation = Literal["auto", "published", "none"]
Precision = Literal["fp32", "bf16", "fp16"]
Order = Literal["shuffled", "single_class"]
MOST = 1e6  # for rates and decays: beyond it single precision overflows within a step
# fields that a spec omits at their defaults, so that older run ids stay valid
_ADDED = ("optimizer", "schedule", "final_lr", "steps_per_shot", "crop", "batches")


@dataclass(frozen=True)
class Length:
    """The length of a training.

    Args:
        batches: of an epoch.
        steps: of the optimiser, in all; the last epoch ends with the last of them.
    """

    batches: int
    steps: int

    @property
    def epochs(self) -> int:
        """Epochs, with a last one that ends early."""
        return -(-self.steps // self.batches)

    def of_epoch(self, epoch: int) -> int:
        """Steps of an epoch, counted from 0."""
        return min(self.batches, self.steps - epoch * self.batches)


@dataclass(frozen=True)
class Training:
    """The recipe. Its defaults produced the tables of the DePT paper.

    A field that the others leave without effect (`idle`) takes its default and is not part of a spec, so that equal runs have equal specs:
    `epochs` where `steps_per_shot` counts, `momentum` of Adam and AdamW, `crop` without random crops.

    Args:
        epochs: passes over the training images; the first `warmup_epochs` of them at the warm-up rate.
        batch_size: images per step, over all processes together.
        lr: learning rate of the prompts; that of a head is this times its `lr_scale`.
        momentum: of SGD, without dampening or Nesterov.
        weight_decay: for all tuned parameters; AdamW's is decoupled from the gradient.
        warmup_epochs: epochs at the constant rate `warmup_lr`.
        warmup_lr: learning rate of every parameter group during warm-up.
        augmentation: views of the training images: "published" (random resized crop and flip), "none" (the test transform), or
            "auto", the ones that the data set declares.
        precision: "fp32", or mixed precision "bf16" or "fp16".
        optimizer: "sgd"; or "adamw", or "adam" with the decay as a part of the gradient, both with betas 0.9 and 0.999 and epsilon 1e-8.
        schedule: of the learning rates: a cosine that changes with every "epoch", as published with the paper; or with every "step", from
            the end of the warm-up to the last step.
        final_lr: rate that the cosine goes down to, of every parameter group.
        steps_per_shot: training steps for each image per class, instead of a number of epochs; the last epoch ends with the last step. 0:
            `epochs` counts.
        crop: least share of a picture's area in a random crop, above 0 and at most 1.
        batches: "shuffled", or "single_class": all images of a batch are of one class, unless no class has `batch_size` images.
    """

    epochs: int = 10
    batch_size: int = 4
    lr: float = 0.0035
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_epochs: int = 1
    warmup_lr: float = 1e-5
    augmentation: Augmentation = "auto"
    precision: Precision = "fp32"
    optimizer: Optimizer = "sgd"
    schedule: Schedule = "epoch"
    final_lr: float = 0.0
    steps_per_shot: int = 0
    crop: float = 0.08
    batches: Order = "shuffled"

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch_size", 1), ("warmup_epochs", 0), ("steps_per_shot", 0)):
            whole(f"training.{name}", getattr(self, name), least)
        for name, below in (("lr", MOST), ("momentum", 1.0), ("weight_decay", MOST), ("warmup_lr", MOST), ("final_lr", MOST)):
            number(f"training.{name}", getattr(self, name), 0.0, below)
        for name, choices in _CHOICES.items():
            choice(f"training.{name}", getattr(self, name), get_args(choices))
        if isinstance(self.crop, bool) or not isinstance(self.crop, int | float) or not 0 < self.crop <= 1:
            raise DepthubError(f"training.crop is {self.crop!r}, expected a share of the area above 0 and at most 1")
        for name in self.idle:
            object.__setattr__(self, name, getattr(Training, name))

    @property
    def idle(self) -> frozenset[str]:
        """Fields that the others leave without effect."""
        idle = {"epochs": self.steps_per_shot > 0, "momentum": self.optimizer != "sgd", "crop": self.augmentation == "none"}
        return frozenset(name for name, is_idle in idle.items() if is_idle)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, without fields that have no effect; those of later versions of depthub are omitted at their defaults."""
        omitted = self.idle.union(name for name in _ADDED if getattr(self, name) == getattr(Training, name))
        return {name: value for name, value in vars(self).items() if name not in omitted}

    def length(self, labels: Sequence[int], shots: int) -> Length:
        """The length of a training on images with these labels.

        Args:
            labels: of all N training images.
            shots: images per class that the run asks for; a class may have fewer.
        """
        of_one_class = whole_batches(labels, self.batch_size) if self.batches == "single_class" else 0
        batches = of_one_class or max(1, len(labels) // self.batch_size)
        return Length(batches, self.steps_per_shot * shots or self.epochs * batches)


_CHOICES = {"augmentation": Augmentation, "precision": Precision, "optimizer": Optimizer, "schedule": Schedule, "batches": Order}


def whole_batches(labels: Sequence[int], batch_size: int) -> int:
    """The number of full batches with images of one class each."""
    return sum(images // batch_size for images in Counter(labels).values())
