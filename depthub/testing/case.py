"""A component under examination; for a method or head also the trainings that several checks share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from accelerate.utils import patch_environment
from torch import Tensor
from torch.utils.data import TensorDataset

from depthub.compute.device import accelerator
from depthub.head import ITM
from depthub.registry.foreign import class_name, is_class, package_of
from depthub.spec import Training
from depthub.testing import toy
from depthub.training.checkpoint import Checkpoint
from depthub.training.evaluation import evaluate
from depthub.training.job import TrainingJob
from depthub.training.loop import fit_together
from depthub.training.tuner import Tuner
from depthub.types import ClassSet

State = dict[str, Tensor]


@dataclass(eq=False)
class Part:
    """A component under examination.

    Args:
        kind: "methods", "heads", "protocols", "datasets", "backbones" or "executors".
        thing: the class, for data sets and backbones the instance; it need not be installed.
        settings: settings of its constructor, if the defaults do not suit the toy model.
        data_root: the folder of data sets on this machine.
        failures: reasons of failed checks, each with the first check that failed for it.
    """

    kind: str
    thing: Any
    settings: Mapping[str, Any] = field(default_factory=dict)
    data_root: Path | None = None
    failures: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Its public name."""
        return class_name(self.thing) if is_class(self.thing) else str(self.thing.name)

    @property
    def package(self) -> str:
        """The top-level package of its class."""
        return package_of(self.thing if is_class(self.thing) else type(self.thing))

    def make(self, *args: Any) -> Any:
        """The component itself; `args` are the arguments of its constructor before the settings."""
        return self.thing(*args, **self.settings) if is_class(self.thing) else self.thing


@dataclass(eq=False)
class Case(Part):
    """A method or head, combined with the plainest head or method.

    Args:
        peers: cases to train in the same two processes: starting processes takes longer than training.
    """

    peers: list[Case] = field(default_factory=list, repr=False)

    def tuner(self, other: Callable[..., Any] | None = None) -> Tuner:
        """A new tuner with a backbone of its own; always with the same start values, as in a run.

        Args:
            other: replaces the plainest counterpart: a head for a method, a method for a head.
        """
        method, head = (self.make, other or ITM) if self.kind == "methods" else (other or toy.Context, self.make)
        backbone = toy.backbone()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(toy.SEED)
            method_part = method(backbone, toy.BASE)
            torch.manual_seed(toy.SEED + 1)
            return Tuner(backbone, method_part, head(backbone.dim, toy.BASE))

    def train(
        self, tuner: Tuner | None = None, *, precision: str = "fp32", checkpoint: Checkpoint | None = None, recipe: Training = toy.RECIPE
    ) -> Tuner:
        """Train on the toy images with the training loop of runs, on the CPU."""
        tuner = tuner or self.tuner()
        with on_cpu(precision) as accelerator:
            fit_toys(tuner, accelerator, recipe, checkpoint)
        return tuner

    @cached_property
    def trained(self) -> Tuner:
        """A trained tuner, shared by all checks that do not change it."""
        return self.train()

    @cached_property
    def draws(self) -> bool:
        """Whether a training step draws random numbers, as dropout does."""
        tuner = self.tuner().train()
        inputs, labels = training_images(tuner).tensors
        with torch.random.fork_rng(devices=[]):
            tuner.prepare(*prepared_images(tuner).tensors)
            before = torch.get_rng_state()
            tuner(inputs, toy.BASE, labels)
            return not torch.equal(before, torch.get_rng_state())

    @cached_property
    def retrained(self) -> State:
        """The tuned parameters of a second training."""
        return tuned(self.train())


def fit_toys(tuner: Tuner, accelerator: Accelerator, recipe: Training = toy.RECIPE, checkpoint: Checkpoint | None = None) -> None:
    """Train on the toy images with the training loop of runs."""
    images = training_images(tuner), prepared_images(tuner)
    job = TrainingJob(tuner, images[0], toy.BASE, recipe, toy.SEED, checkpoint, prepared=images[1])
    (error,) = fit_together([job], accelerator)
    if error:
        raise error


@contextmanager
def on_cpu(precision: str = "fp32") -> Iterator[Accelerator]:
    """A run's accelerator, on the CPU; accelerate's state in this process is restored afterwards."""
    states = (AcceleratorState, PartialState, GradientState)
    before = [dict(state._shared_state) for state in states]
    try:
        for state in states:
            state._shared_state.clear()
        with patch_environment(ACCELERATE_USE_CPU="yes"):
            yield accelerator(precision)
    finally:
        for state, was in zip(states, before, strict=True):
            state._shared_state.clear()
            state._shared_state.update(was)


def images(tuner: Tuner, number: int, seed: int) -> TensorDataset:
    """Toy images as in a run: features if the method does not tune the image side, pixels otherwise."""
    pixels, labels = toy.images(number, seed)
    return TensorDataset(pixels if tuner.method.tunes_image else tuner.backbone.encode_image(pixels), labels)


def training_images(tuner: Tuner) -> TensorDataset:
    """Toy images to train on, as in a run; views of an image are alike but for noise."""
    plain, labels = images(tuner, *toy.TRAIN).tensors
    return TensorDataset(_viewed(plain, tuner.method.views), labels)


def prepared_images(tuner: Tuner) -> TensorDataset:
    """Toy images to prepare a method with, as in a run."""
    plain, labels = images(tuner, *toy.TRAIN).tensors
    views = tuner.method.prepared_views
    return TensorDataset(_viewed(plain, views - 1) if views > 1 else plain[:, None] if views else plain, labels)


def _viewed(plain: Tensor, more: int) -> Tensor:
    """Images (N, ...) and so many noisy ones of each, (N, 1 + more, ...); the images themselves if there are no more."""
    generator = torch.Generator().manual_seed(toy.SEED)
    noise = [0.1 * torch.randn(plain.shape, generator=generator) for _ in range(more)]
    return torch.stack([plain, *(plain + part for part in noise)], dim=1) if more else plain


def scores(tuner: Tuner, inputs: Tensor, classes: ClassSet = toy.BASE) -> Tensor:
    """Scores (B, M) of the evaluation loop of runs, with the modules in its mode.

    Args:
        tuner: the tuner.
        inputs: pixels (B, 3, H, W) or features (B, d).
        classes: the M classes.
    """
    batches: list[Tensor] = []
    handle = tuner.register_forward_hook(lambda module, args, output: batches.append(output))
    try:
        with on_cpu() as accelerator:
            evaluate(tuner, TensorDataset(inputs, torch.zeros(len(inputs), dtype=torch.long)), classes, accelerator)
    finally:
        handle.remove()
    return torch.cat(batches)


def tuned(tuner: Tuner) -> State:
    """Copies of the tuned parameters, by name."""
    return {name: p.detach().clone() for name, p in tuner.tuned().items()}


def difference(one: State, other: State) -> str:
    """The first parameter that differs, and the difference; empty if all are equal."""
    if one.keys() != other.keys():
        return f"{', '.join(sorted(one.keys() ^ other.keys()))} in one of them only"
    for name, value in one.items():
        if not torch.equal(value, other[name]):
            return f"{name} differs by up to {(value - other[name]).abs().max():.2g}"
    return ""
