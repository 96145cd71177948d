"""Runs that train as one: their prompts are groups of one text encoding, everything else stays each run's own."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any, Literal, cast

import psutil
import torch
from torch import Tensor, nn

from depthub.errors import DepthubError
from depthub.method import PromptMethod
from depthub.model import Tuner
from depthub.types import ClassSet, Features, Prompts

if TYPE_CHECKING:
    from depthub.data.views import EpochOrder
    from depthub.engine import Course

Limit = int | Literal["auto", "off"]
SAVED = 24e3  # bytes that a token leaves for the backward pass in a layer of width 512, in fp32
SHARE = 0.25  # of the free memory is what a stack may take
MOST_ON_CPU, MOST = 16, 64  # runs in a stack; beyond them the time a run takes hardly falls


class Stack(nn.Module):
    """R runs as one module; with R = 1 it is the run's tuner. What is trainable goes through `forward`, as in a tuner.

    Args:
        tuners: of the runs; several must have the same `Form`.
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
        """Start the random numbers of each run. All come from torch's global generators, which it is the caller's part to restore."""
        device = next(self.parameters()).device.type
        self._generators = [torch] if device == "cpu" else [torch, torch.get_device_module(device)]
        self._states = []
        for seed in seeds:
            torch.manual_seed(seed)
            self._states.append(self._state())
        self._seeded = [*self._states]

    def settle(self) -> None:
        """Take it from the steps since `seed` that no run draws random numbers.

        Raises:
            DepthubError: if one did: a recording repeats its steps, but not the states of random numbers.
        """
        states = self._states if len(self.runs) > 1 else [self._state()]
        if not all(torch.equal(*pair) for now, seeded in zip(states, self._seeded, strict=True) for pair in zip(now, seeded, strict=True)):
            raise DepthubError("this training step draws random numbers, which cannot be played from a CUDA graph; run without --graphs")
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
        backbone, losses = self.runs[0].backbone, []
        seen, truth = (x.chunk(len(self.runs)) for x in (backbone.encode_image(images), labels))
        prompts = [self._prompts(run, classes, image) for run, image in enumerate(seen)]
        text = backbone.encode_text(classes, joined(prompts)).chunk(len(self.runs))
        per_image = any(p.ndim == 4 for p in prompts[0].text)
        for run, tuner in enumerate(self.runs):
            features = Features(seen[run], text[run] if per_image else text[run][0], backbone.scale, classes)
            with self._drawing(run):
                losses.append(tuner.losses(features, truth[run]))
        return losses

    def _prompts(self, run: int, classes: ClassSet, image: Tensor) -> Prompts:
        method = cast(PromptMethod, self.runs[run].method)
        with self._drawing(run):
            return method.prompts(classes, image if method.needs_image else None)

    @contextmanager
    def _drawing(self, run: int) -> Iterator[None]:
        """What is drawn meanwhile continues the run's own random numbers."""
        if not self._draws:
            yield
            return
        for generator, state in zip(self._generators, self._states[run], strict=True):
            generator.set_rng_state(state)
        yield
        self._states[run] = self._state()

    def _state(self) -> list[Tensor]:
        return [generator.get_rng_state() for generator in self._generators]


def joined(prompts: Sequence[Prompts]) -> Prompts:
    """Text prompts of R runs as groups, run by run.

    A run's (n, w) become (1, 1, n, w) and its (M, n, w) become (1, M, n, w); where a layer has prompts per image, (B, 1, n, w), all its
    layers get B groups.
    """
    groups = max((len(p) for p in prompts[0].text if p.ndim == 4), default=1)
    layers = zip(*(p.text for p in prompts), strict=True)
    each = [[p.reshape((1,) * (4 - p.ndim) + p.shape).expand(groups, -1, -1, -1) for p in layer] for layer in layers]
    return replace(prompts[0], text=[torch.cat(layer) for layer in each])


class Abreast:
    """Batches of R runs as one: indices into their images put one after the other. Runs have the same number of images.

    Args:
        orders: one a run.
    """

    def __init__(self, orders: Sequence[EpochOrder]) -> None:
        self.orders, self.batch_size = orders, sum(order.batch_size for order in orders)

    def __len__(self) -> int:
        return len(self.orders[0])

    def __iter__(self) -> Iterator[list[int]]:
        for batches in zip(*self.orders, strict=True):
            yield [run * order.length + i for run, (order, batch) in enumerate(zip(self.orders, batches, strict=True)) for i in batch]


@dataclass(frozen=True)
class Form:
    """What runs must have in common to train as one.

    Args:
        backbone: the frozen model, by identity.
        classes: the training classes.
        steps: number of images, and of those in a batch.
        layers: shapes of the text prompts, without groups: (n, w), (M, n, w) or (1, n, w).
        rest: what else the prompts say: position and words.
        tokens: of all sentences of a run, for memory; not compared.
    """

    backbone: int
    classes: ClassSet
    steps: tuple[int, int]
    layers: tuple[tuple[int, ...], ...]
    rest: tuple[Hashable, ...]
    tokens: int = field(compare=False)


def form(course: Course) -> Form | str:
    """A run's form, or in words why it has none and trains alone; empty if nothing of it is tuned."""
    tuner, method, size = course.tuner, course.tuner.method, len(course.images)  # type: ignore[arg-type]
    if not tuner.tuned():
        return ""
    if not isinstance(method, PromptMethod):
        return "it encodes by itself"
    if method.tunes_image:
        return "its prompts change the image features"
    if course.training.precision == "fp16":
        return "fp16 scales the losses of one run"
    try:
        prompts = _sample(tuner, method, course.classes)
    except Exception:  # its training shows which
        return "its prompts raise an error"
    if not prompts.text:
        return "it has no text prompts"
    if prompts.image:  # its training says what is wrong with that
        return "it has image prompts, but is given image features"
    batch = min(course.training.batch_size, size)
    return Form(
        id(tuner.backbone),
        course.classes,
        (size, batch),
        tuple(tuple(p.shape[-3:]) for p in prompts.text),
        tuple(getattr(prompts, part.name) for part in fields(prompts) if part.name not in ("text", "image")),
        _tokens(tuner, course.classes, prompts) * (batch if method.needs_image else 1),
    )


def arrange(courses: Sequence[Course], limit: Limit) -> list[tuple[list[int], str]]:
    """Which of the runs train together.

    Args:
        courses: the runs.
        limit: runs in a stack at the most; "auto": as many as fit in a quarter of the free memory, up to 16 on a CPU and 64 elsewhere.

    Returns:
        Indices of the runs of each stack; stacks of one form have about the same size. With each the reason why a run is alone that was
        not asked to be: it has no form, or no other run has it; else empty.
    """
    if limit in ("off", 1) or len(courses) == 1:
        return [([index], "") for index in range(len(courses))]
    alike: dict[Form | int, list[int]] = {}
    alone: dict[int, str] = {}
    for index, course in enumerate(courses):
        found = form(course)
        alike.setdefault(found if isinstance(found, Form) else index, []).append(index)
        if isinstance(found, str):
            alone[index] = found
    made = []
    for key, indices in alike.items():
        if isinstance(key, int):
            made.append((indices, alone[key]))
        elif len(indices) == 1:
            made.append((indices, "no other run has the same classes, prompts and steps"))
        else:
            made += [(part, "") for part in _parts(indices, _most(courses[indices[0]], key, limit))]
    return made


def _parts(indices: Sequence[int], most: int) -> list[list[int]]:
    count = ceil(len(indices) / most)
    bounds = [len(indices) * i // count for i in range(count + 1)]
    return [list(indices[start:end]) for start, end in pairwise(bounds)]


def _most(course: Course, shared: Form, limit: Limit) -> int:
    if isinstance(limit, int):
        return limit
    backbone = course.tuner.backbone
    scale = backbone.scale
    on_cpu = scale.device.type == "cpu"
    free = torch.cuda.mem_get_info(scale.device)[0] if scale.device.type == "cuda" else psutil.virtual_memory().available
    each = shared.tokens * backbone.text_depth * SAVED * backbone.text_width / 512 * scale.element_size() / 4
    return max(1, min(MOST_ON_CPU if on_cpu else MOST, int(SHARE * free / each)))


@torch.no_grad()
def _sample(tuner: Tuner, method: PromptMethod, classes: ClassSet) -> Prompts:
    """Prompts for an image of zeros; leaves random numbers and the mode of the method as they were."""
    scale, training = tuner.backbone.scale, method.training
    image = torch.zeros(1, tuner.backbone.dim, device=scale.device, dtype=scale.dtype) if method.needs_image else None
    with torch.random.fork_rng():
        found = method.eval().prompts(classes, image)
        tuner.backbone.check_prompts(classes, found)
    method.train(training)
    return found


def _tokens(tuner: Tuner, classes: ClassSet, prompts: Prompts) -> int:
    """Tokens of the class sentences; a beginning that all share counts once."""
    own = [len(tuner.backbone.tokenizer.encode(word)) + 2 for word in classes.words]  # and the full stop and the end
    shared = prompts.position == "end" and all(p.shape[-3:-2] in ((), (1,)) for p in prompts.text)
    return sum(own) + (1 + prompts.text[0].shape[-2]) * (1 if shared else len(own))
