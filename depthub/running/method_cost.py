"""The cost of a method under a head: what a training step and a test take, measured alone, beside what is trained and stored.

Run files hold the seconds of whole runs, which may have trained together with others and shared what they read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from depthub.data.loader import loader, on_device
from depthub.records.store import Store
from depthub.running.options import RunOptions
from depthub.running.resolved import Resolved
from depthub.running.run_job import RunJob
from depthub.training.checkpoint import buffers
from depthub.training.evaluation import TEST_BATCH
from depthub.training.job_state import JobState
from depthub.training.loop import OPTIMIZERS, stepper

WARM_UP, STEPS, TESTS = 3, 20, 5  # steps before the measured ones, measured steps, and measured batches of a test


@dataclass(frozen=True)
class MethodCost:
    """What a method costs under a head, on one data set.

    Args:
        trained: numbers that training changes.
        stored_bytes: of a checkpoint's trained numbers and persistent buffers.
        prepare_s: seconds before the first step.
        images: in a step.
        step_flop: operations of a step: of matrix products, attention and convolutions, forward and backward.
        step_s: least, median and largest seconds of a step; zeros where nothing is trained in steps.
        kept_bytes: that a step keeps for its backward pass; on a GPU the peak of what it allocates.
        encode_s: seconds to encode an image once, for methods whose images are; 0 for others.
        test_flop: operations to test an image, once the texts are encoded.
        test_s: seconds to test an image, likewise.
    """

    trained: int
    stored_bytes: int
    prepare_s: float
    images: int
    step_flop: int
    step_s: tuple[float, float, float]
    kept_bytes: int
    encode_s: float
    test_flop: int
    test_s: float


def measured(resolved: Resolved, options: RunOptions) -> MethodCost:
    """Measure a method under its head: the training steps of a run, of which none is stored, and a part of its first test.

    Args:
        resolved: the run.
        options: of the run.

    Raises:
        DepthubError: as the run would.
    """
    with TemporaryDirectory() as folder:
        run = RunJob(resolved, Store(Path(folder)), options, None, lambda note: None)
        run.advance()
        try:
            return _measured(run)
        finally:
            run.close()


def _measured(run: RunJob) -> MethodCost:
    job = run.job
    job.checkpoint = job.history = None
    since = perf_counter()
    state = JobState(job, 0)
    prepare_s = perf_counter() - since
    if state.error:
        raise state.error
    step_flop, step_s, kept = _steps(state, run) if state.groups else (0, [0.0], 0)
    encode_s, test_flop, test_s = _test(run)
    tuned, kept_buffers = job.tuner.tuned().values(), buffers(job.tuner).values()
    return MethodCost(
        trained=sum(p.numel() for p in tuned),
        stored_bytes=sum(value.numel() * value.element_size() for value in (*tuned, *kept_buffers)),
        prepare_s=prepare_s,
        images=state.order.batch_size,
        step_flop=step_flop,
        step_s=(min(step_s), median(step_s), max(step_s)),
        kept_bytes=kept,
        encode_s=encode_s,
        test_flop=test_flop,
        test_s=test_s,
    )


def _steps(state: JobState, run: RunJob) -> tuple[int, list[float], int]:
    """Operations of a step, seconds of each measured one, and the bytes that one keeps."""
    optimizer = OPTIMIZERS[state.recipe.optimizer](state.groups)
    _, loaded, step = stepper([state], optimizer, run.accelerator)
    state.job.tuner.train()
    state.begin_epoch(optimizer)
    batches = [*islice(_endless(lambda: on_device(loaded, run.accelerator.device)), WARM_UP + STEPS)]
    for number, batch in enumerate(batches[:WARM_UP]):
        state.begin_step(number, optimizer)
        step(*batch)
    flop = _operations(lambda: step(*batches[0]))
    with _kept(run) as kept:
        step(*batches[0])
    return flop, [_seconds(lambda batch=batch: step(*batch)) for batch in batches[WARM_UP:]], kept[0]  # type: ignore[misc]


@torch.no_grad()
def _test(run: RunJob) -> tuple[float, int, float]:
    """Seconds to encode an image once, operations to test one, and seconds for it."""
    tuner, task = run.job.tuner.eval(), run.resolved.stages[0].tests[0]
    images: Any = run.images.of(task, tuner, random_views=False)
    batch, _ = next(iter(on_device(loader(images, run.accelerator.device, 0, batch_size=TEST_BATCH), run.accelerator.device)))

    def test() -> Any:
        with run.accelerator.autocast():
            return tuner(batch, task.classes)

    test()  # encodes the texts, which are remembered
    encode_s = 0.0
    if batch.ndim == 2:
        pixels = torch.rand(TEST_BATCH, 3, *tuner.backbone.image_size, device=batch.device)
        tuner.backbone.encode_image(pixels)
        encode_s = median(_seconds(lambda: tuner.backbone.encode_image(pixels)) for _ in range(TESTS)) / TEST_BATCH
    return encode_s, _operations(test) // len(batch), median(_seconds(test) for _ in range(TESTS)) / len(batch)


def _endless(epoch: Callable[[], Iterator[tuple[Tensor, Tensor]]]) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from epoch()


def _operations(do: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        do()
    return int(counter.get_total_flops())


def _seconds(do: Callable[[], object]) -> float:
    """Seconds of a call, its work on a GPU included."""
    _synchronize()
    since = perf_counter()
    do()
    _synchronize()
    return perf_counter() - since


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextmanager
def _kept(run: RunJob) -> Iterator[list[int]]:
    """A block; the list's entry is then what it kept for the backward pass in bytes, each storage once, or on a GPU its peak."""
    kept, storages = [0], dict[int, int]()

    def pack(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    device = run.accelerator.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield kept
        kept[0] = torch.cuda.max_memory_allocated(device) - before
        return
    weights = {value.untyped_storage().data_ptr() for value in (*run.job.tuner.parameters(), *run.job.tuner.buffers())}
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept
    kept[0] = sum(size for place, size in storages.items() if place not in weights)
