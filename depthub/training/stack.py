"""Runs that train as one: their prompts are groups of one text encoding, and everything else stays separate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from depthub.errors import DepthubError
from depthub.method import PromptMethod
from depthub.training.tuner import Tuner, overrides
from depthub.types import ClassSet, Features, Prompts


class Stack(nn.Module):
    """R runs as one module; with R = 1 it is the run's tuner. All trainable parts are used in `forward`, as in a tuner.

    Args:
        tuners: of the runs; several must have the same `StackKey`.
    """

    def __init__(self, tuners: Sequence[Tuner]) -> None:
        super().__init__()
        self.runs = tuple(tuners)
        self.parts = nn.ModuleList(tuners)
        self._generators: list[Any] = [torch]
        self._states: list[list[Tensor]] = []
        self._seeded: list[list[Tensor]] = []
        self._draws = True  # whether a run may draw random numbers

    def seed(self, seeds: Sequence[int]) -> None:
        """Start the random numbers of each run. All come from torch's global generators, which the caller must restore."""
        device = next(self.parameters()).device.type
        self._generators = [torch] if device == "cpu" else [torch, torch.get_device_module(device)]
        self._states = []
        for seed in seeds:
            torch.manual_seed(seed)
            self._states.append(self._state())
        self._seeded = [*self._states]

    def forbid_random_draws(self) -> None:
        """Verify that no run has drawn random numbers since `seed`; from now on none may.

        Raises:
            DepthubError: if one has: a graph replays its steps, but not the states of generators.
        """
        states = self._states if len(self.runs) > 1 else [self._state()]
        if not all(_equal(state, seeded) for state, seeded in zip(states, self._seeded, strict=True)):
            raise DepthubError("this training step draws random numbers, which cannot be replayed from a CUDA graph; run without --graphs")
        self._draws = False

    def forward(self, images: Tensor, labels: Tensor, classes: ClassSet) -> list[dict[str, Tensor]]:
        """The losses of each run, as from its tuner.

        Args:
            images: a batch of each run, one after the other: pixels (R * B, 3, H, W) or features (R * B, d).
            labels: likewise, (R * B,), indices into `classes`.
            classes: the M classes to tell apart.
        """
        if len(self.runs) == 1:
            return [cast(dict[str, Tensor], self.runs[0](images, classes, labels))]
        backbone, losses, together = self.runs[0].backbone, [], makes_prompts(self.runs[0])
        image = (backbone.encode_image(images) if together else images).chunk(len(self.runs))
        labels_of = labels.chunk(len(self.runs))
        prompts = [self._prompts(run, classes, of_run) for run, of_run in enumerate(image)] if together else []
        if not prompts or not prompts[0].text:  # no text to encode together
            return [self._alone(run, image[run], classes, labels_of[run]) for run in range(len(self.runs))]
        text = backbone.encode_text(classes, joined(prompts)).chunk(len(self.runs))
        for run, tuner in enumerate(self.runs):
            features = Features(image[run], text[run] if prompts[0].groups else text[run][0], backbone.scale, classes)
            with self._drawing(run):
                features = cast(PromptMethod, tuner.method).read(features)
                losses.append(tuner.losses(features, labels_of[run]))
        return losses

    def _alone(self, run: int, images: Tensor, classes: ClassSet, labels: Tensor) -> dict[str, Tensor]:
        with self._drawing(run):
            return cast(dict[str, Tensor], self.runs[run](images, classes, labels))

    def _prompts(self, run: int, classes: ClassSet, image: Tensor) -> Prompts:
        tuner = self.runs[run]
        method = cast(PromptMethod, tuner.method)
        with self._drawing(run):
            return method.prompts_for(tuner.backbone, classes, image if method.needs_image else None)

    @contextmanager
    def _drawing(self, run: int) -> Iterator[None]:
        """A block whose random numbers continue those of the run."""
        if not self._draws:
            yield
            return
        for generator, state in zip(self._generators, self._states[run], strict=True):
            generator.set_rng_state(state)
        yield
        self._states[run] = self._state()

    def _state(self) -> list[Tensor]:
        return [generator.get_rng_state() for generator in self._generators]


def _equal(state: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return all(map(torch.equal, state, other))


def joined(prompts: Sequence[Prompts]) -> Prompts:
    """Text prompts of R runs as groups, run by run.

    A run's (n, w) become (1, 1, n, w) and its (M, n, w) become (1, M, n, w): R runs of (n, w) are (R, 1, n, w) together. If one layer has
    prompts per image, (B, 1, n, w), every layer of the run gets B groups.
    """
    groups = max((len(p) for p in prompts[0].text if p is not None and p.ndim == 4), default=1)
    layers = [[p for p in layer if p is not None] for layer in zip(*(p.text for p in prompts), strict=True)]
    each = [[p.reshape((1,) * (4 - p.ndim) + p.shape).expand(groups, -1, -1, -1) for p in layer] for layer in layers]
    return replace(prompts[0], text=[torch.cat(layer) if layer else None for layer in each])


def makes_prompts(tuner: Tuner) -> bool:
    """Whether the features of a training step follow from the method's prompts alone, so that they can be encoded with those of others."""
    return isinstance(tuner.method, PromptMethod) and not overrides(tuner.method, "training_features")
