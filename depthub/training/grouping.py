"""The grouping of runs into stacks: a key that runs of one stack share, and the number of runs that memory allows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from math import ceil
from typing import Literal

import psutil
import torch

from depthub.method import Method, PromptMethod
from depthub.training.job import TrainingJob
from depthub.training.stack import makes_prompts
from depthub.training.tuner import Tuner
from depthub.types import ClassSet, Prompts

Limit = int | Literal["auto", "off"]
SAVED = 24e3  # bytes saved for backward per token and layer of width 512, in fp32
UNKNOWN = 16  # tokens around a class name, for an estimate of the memory of methods that encode by themselves
SHARE = 0.25  # of the free memory, for a stack
MOST_ON_CPU, MOST = 16, 64  # runs in a stack; with more the time per run hardly falls


@dataclass(frozen=True)
class StackKey:
    """Common properties of runs that train as one.

    Args:
        backbone: the frozen model, by identity.
        classes: the training classes.
        optimizer: its name, since all have the same one.
        steps: number of images, images in a batch, and batches in an epoch.
        layers: shapes of the text prompts, without groups: (n, w), (M, n, w) or (1, n, w).
        rest: texts of the classes, which methods may read, and the prompts' other fields: position and words.
        tokens: in all sentences of a run, for an estimate of memory; not compared.
    """

    backbone: int
    classes: ClassSet
    optimizer: str
    steps: tuple[int, int, int]
    layers: tuple[tuple[int, ...], ...]
    rest: tuple[Hashable, ...]
    tokens: int = field(compare=False)


def stack_key(job: TrainingJob) -> StackKey | str:
    """A run's key, or the reason, in words, why it has none and trains alone; an empty one if it has no tuned parameter."""
    tuner, method = job.tuner, job.tuner.method
    if not tuner.tuned():
        return ""
    if method.tunes_image:
        return "its prompts change the image features" if isinstance(method, PromptMethod) else "it encodes by itself"
    if job.training.precision == "fp16":
        return "fp16 scales the losses of one run"
    if not makes_prompts(tuner):
        return _key(job, method, Prompts())
    assert isinstance(method, PromptMethod)
    try:
        prompts = _sample(tuner, method, job.classes)
    except Exception:  # the run's training will raise it again
        return "its prompts raise an error"
    if prompts.image:  # the run's training will refuse it
        return "it has image prompts, but is given image features"
    return _key(job, method, prompts)


def _key(job: TrainingJob, method: Method, prompts: Prompts) -> StackKey:
    images = len(job.images)  # type: ignore[arg-type]
    batch = min(job.training.batch_size, images)
    others = [getattr(prompts, part.name) for part in fields(prompts) if part.name not in ("text", "image")]
    return StackKey(
        id(job.tuner.backbone),
        job.classes,
        job.training.optimizer,
        (images, batch, job.length.batches),
        tuple(() if p is None else tuple(p.shape[-3:]) for p in prompts.text),
        (None if prompts.text else type(method), job.classes.texts, *others),
        _tokens(job.tuner, job.classes, prompts) * (batch if method.needs_image else 1),
    )


def group_jobs(jobs: Sequence[TrainingJob], limit: Limit) -> list[tuple[list[int], str]]:
    """The runs that train together.

    Args:
        jobs: the runs.
        limit: at most so many runs in a stack; "auto": as many as fit in a quarter of the free memory, up to 16 on a CPU and 64 elsewhere.

    Returns:
        For each stack the indices of its runs, and the reason why a single run is alone: it has no key, or no other run has the same one;
        empty for stacks, and for all if they are off. Stacks of one key have about the same size.
    """
    if limit in ("off", 1) or len(jobs) == 1:
        return [([index], "") for index in range(len(jobs))]
    groups: dict[StackKey | tuple[int, str], list[int]] = {}  # runs without a key by index and reason
    for index, job in enumerate(jobs):
        key = stack_key(job)
        groups.setdefault((index, key) if isinstance(key, str) else key, []).append(index)
    stacks: list[tuple[list[int], str]] = []
    for group, indices in groups.items():
        if isinstance(group, tuple):
            stacks.append((indices, group[1]))
        elif len(indices) == 1:
            stacks.append((indices, "no other run has the same classes, prompts and steps"))
        else:
            stacks += [(part, "") for part in _parts(indices, _most(jobs[indices[0]], group, limit))]
    return stacks


def _parts(indices: Sequence[int], most: int) -> list[list[int]]:
    """The indices in as few parts of at most `most` as possible, of about the same size."""
    count = ceil(len(indices) / most)
    bounds = [len(indices) * i // count for i in range(count + 1)]
    return [list(indices[start:end]) for start, end in pairwise(bounds)]


def _most(job: TrainingJob, key: StackKey, limit: Limit) -> int:
    """The most runs like this one in a stack."""
    if isinstance(limit, int):
        return limit
    backbone = job.tuner.backbone
    scale = backbone.scale
    on_cpu = scale.device.type == "cpu"
    free = torch.cuda.mem_get_info(scale.device)[0] if scale.device.type == "cuda" else psutil.virtual_memory().available
    if backbone.text_refusal:  # nothing of the text tower is saved for the backward pass
        return MOST_ON_CPU if on_cpu else MOST
    each = key.tokens * backbone.text_depth * SAVED * backbone.text_width / 512 * scale.element_size() / 4
    return max(1, min(MOST_ON_CPU if on_cpu else MOST, int(SHARE * free / each)))


@torch.no_grad()
def _sample(tuner: Tuner, method: PromptMethod, classes: ClassSet) -> Prompts:
    """Prompts for an image of zeros; random numbers and the mode of the method stay unchanged."""
    scale, training = tuner.backbone.scale, method.training
    image = torch.zeros(1, tuner.backbone.dim, device=scale.device, dtype=scale.dtype) if method.needs_image else None
    with torch.random.fork_rng():
        prompts = method.eval().prompts_for(tuner.backbone, classes, image)
        tuner.backbone.check_prompts(classes, prompts)
    method.train(training)
    return prompts


def _tokens(tuner: Tuner, classes: ClassSet, prompts: Prompts) -> int:
    """Tokens of the class sentences; a beginning that all share counts once."""
    names = [len(tuner.backbone.tokenizer.encode(word)) + 2 for word in classes.words]  # with the full stop and the end
    shared = prompts.position == "end" and all(p is None or p.shape[-3:-2] in ((), (1,)) for p in prompts.text)
    context = prompts.n if prompts.text else UNKNOWN
    return sum(names) + (1 + context) * (1 if shared and prompts.text else len(names))
