"""Which runs can train as one, and how many of them at a time."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from math import ceil
from typing import Literal

import psutil
import torch

from depthub.method import PromptMethod
from depthub.training.job import TrainingJob
from depthub.training.tuner import Tuner
from depthub.types import ClassSet, Prompts

Limit = int | Literal["auto", "off"]
SAVED = 24e3  # bytes that a token leaves for the backward pass in a layer of width 512, in fp32
SHARE = 0.25  # of the free memory is what a stack may take
MOST_ON_CPU, MOST = 16, 64  # runs in a stack; beyond them the time a run takes hardly falls


@dataclass(frozen=True)
class StackKey:
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


def stack_key(job: TrainingJob) -> StackKey | str:
    """A run's form, or in words why it has none and trains alone; empty if nothing of it is tuned."""
    tuner, method, size = job.tuner, job.tuner.method, len(job.images)  # type: ignore[arg-type]
    if not tuner.tuned():
        return ""
    if not isinstance(method, PromptMethod):
        return "it encodes by itself"
    if method.tunes_image:
        return "its prompts change the image features"
    if job.training.precision == "fp16":
        return "fp16 scales the losses of one run"
    try:
        prompts = _sample(tuner, method, job.classes)
    except Exception:  # its training shows which
        return "its prompts raise an error"
    if not prompts.text:
        return "it has no text prompts"
    if prompts.image:  # its training says what is wrong with that
        return "it has image prompts, but is given image features"
    batch = min(job.training.batch_size, size)
    return StackKey(
        id(tuner.backbone),
        job.classes,
        (size, batch),
        tuple(tuple(p.shape[-3:]) for p in prompts.text),
        tuple(getattr(prompts, part.name) for part in fields(prompts) if part.name not in ("text", "image")),
        _tokens(tuner, job.classes, prompts) * (batch if method.needs_image else 1),
    )


def group_jobs(jobs: Sequence[TrainingJob], limit: Limit) -> list[tuple[list[int], str]]:
    """Which of the runs train together.

    Args:
        jobs: the runs.
        limit: runs in a stack at the most; "auto": as many as fit in a quarter of the free memory, up to 16 on a CPU and 64 elsewhere.

    Returns:
        Indices of the runs of each stack; stacks of one form have about the same size. With each the reason why a run is alone that was
        not asked to be: it has no form, or no other run has it; else empty.
    """
    if limit in ("off", 1) or len(jobs) == 1:
        return [([index], "") for index in range(len(jobs))]
    alike: dict[StackKey | int, list[int]] = {}
    alone: dict[int, str] = {}
    for index, job in enumerate(jobs):
        found = stack_key(job)
        alike.setdefault(found if isinstance(found, StackKey) else index, []).append(index)
        if isinstance(found, str):
            alone[index] = found
    made = []
    for key, indices in alike.items():
        if isinstance(key, int):
            made.append((indices, alone[key]))
        elif len(indices) == 1:
            made.append((indices, "no other run has the same classes, prompts and steps"))
        else:
            made += [(part, "") for part in _parts(indices, _most(jobs[indices[0]], key, limit))]
    return made


def _parts(indices: Sequence[int], most: int) -> list[list[int]]:
    count = ceil(len(indices) / most)
    bounds = [len(indices) * i // count for i in range(count + 1)]
    return [list(indices[start:end]) for start, end in pairwise(bounds)]


def _most(job: TrainingJob, shared: StackKey, limit: Limit) -> int:
    if isinstance(limit, int):
        return limit
    backbone = job.tuner.backbone
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
