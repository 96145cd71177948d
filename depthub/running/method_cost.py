"""The cost of a method under a head, measured alone: what is trained and stored, and the operations, seconds and bytes of its parts.

Run files hold the seconds of whole runs, which may have trained together with others and shared what they read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, flop_registry
from torch.utils.module_tracker import ModuleTracker

from depthub.data.loader import on_device
from depthub.encoding.layer_states import LayerStates
from depthub.records.store import Store
from depthub.running.options import RunOptions
from depthub.running.resolved import Resolved
from depthub.running.run_job import RunJob
from depthub.training.checkpoint import buffers
from depthub.training.evaluation import TEST_BATCH
from depthub.training.job_state import JobState, stage_of
from depthub.training.loop import OPTIMIZERS, stepper
from depthub.training.tuner import overrides

WARM_UP, STEPS, TESTS = 3, 20, 5  # steps before the measured ones, measured steps, and measured batches of other parts
BATCHES = 4  # different ones that the steps take in turn
_aten = torch.ops.aten
_attention = _aten._scaled_dot_product_flash_attention, _aten._scaled_dot_product_flash_attention_backward
_on_processors = _aten._scaled_dot_product_flash_attention_for_cpu, _aten._scaled_dot_product_flash_attention_for_cpu_backward
# torch's table of formulas lacks the attention of processors; the counter wraps a formula itself
ATTENTION = {here: flop_registry[there].__wrapped__ for here, there in zip(_on_processors, _attention, strict=True)}


@dataclass(frozen=True)
class MethodCost:
    """What a method costs under a head, on one data set. Operations are those of matrix products, attention and convolutions, forward and
    backward; an addition and a multiplication are two.

    Args:
        trained: numbers that training changes.
        stored_bytes: of a checkpoint's trained numbers and persistent buffers.
        steps, images: of a training, and in each step; 0 steps where nothing is trained in steps.
        step_flop: operations of a step; of a training in stages, the mean of its steps.
        step_s: median seconds of a step, likewise.
        step_least_s, step_largest_s: of the measured steps.
        image_s: seconds of a step for each of its images.
        kept_bytes: that a step keeps for its backward pass, weights apart; on a GPU the peak of what it allocates. Of the largest stage.
        prepare_flop, prepare_s: of what comes before the first step, `Method.prepare`.
        train_flop, train_s: of a whole training: what comes before it, and all steps.
        encode_flop, encode_s: of what is computed of an image before a training reads it; 0 for methods that read pixels.
        test_flop, test_s: of an image from its pixels to its scores, once the texts are encoded.
    """

    trained: int
    stored_bytes: int
    steps: int
    images: int
    step_flop: int
    step_s: float
    step_least_s: float
    step_largest_s: float
    image_s: float
    kept_bytes: int
    prepare_flop: int
    prepare_s: float
    train_flop: int
    train_s: float
    encode_flop: int
    encode_s: float
    test_flop: int
    test_s: float


@dataclass(frozen=True)
class _Reading:
    """Of a call that was made several times: operations, seconds of each time, bytes kept for the backward pass."""

    flop: int = 0
    seconds: tuple[float, ...] = (0.0,)
    kept: int = 0

    @property
    def median(self) -> float:
        """Seconds."""
        return median(self.seconds)


def measured(resolved: Resolved, options: RunOptions) -> MethodCost:
    """Measure a method under its head: some steps of the first training of a run, and a part of its first test. Nothing is stored.

    Args:
        resolved: the run.
        options: of the run.

    Raises:
        DepthubError: as the run would.
    """
    with TemporaryDirectory() as folder:
        run = RunJob(resolved, Store(Path(folder)), options, None, lambda note: None)
        run.announced = False  # it never ends
        run.advance()
        try:
            return _measured(run)
        finally:
            run.close()


def _measured(run: RunJob) -> MethodCost:
    job = run.job
    job.checkpoint = job.history = None
    state, prepare = _prepared(run)
    if state.error:
        raise state.error
    stages = _stages(state, run) if state.groups else []
    encode, test = _of_images(run)
    tuned, steps = job.tuner.tuned().values(), sum(number for number, _ in stages)
    of_steps = sum(number * reading.flop for number, reading in stages), sum(number * reading.median for number, reading in stages)
    seconds = [value for _, reading in stages for value in reading.seconds] or [0.0]
    return MethodCost(
        trained=sum(p.numel() for p in tuned),
        stored_bytes=sum(value.numel() * value.element_size() for value in (*tuned, *buffers(job.tuner).values())),
        steps=steps,
        images=state.order.batch_size,
        step_flop=round(of_steps[0] / max(1, steps)),
        step_s=of_steps[1] / max(1, steps),
        step_least_s=min(seconds),
        step_largest_s=max(seconds),
        image_s=of_steps[1] / max(1, steps) / state.order.batch_size,
        kept_bytes=max((reading.kept for _, reading in stages), default=0),
        prepare_flop=prepare.flop,
        prepare_s=prepare.median,
        train_flop=prepare.flop + of_steps[0],
        train_s=prepare.median + of_steps[1],
        encode_flop=round(encode.flop / TEST_BATCH),
        encode_s=encode.median / TEST_BATCH,
        test_flop=round(test.flop / TEST_BATCH),
        test_s=test.median / TEST_BATCH,
    )


def _prepared(run: RunJob) -> tuple[JobState, _Reading]:
    """The training before its first step, and a reading of what comes before it if anything does.

    A method is prepared once: operations are counted with another tuner, hence first.
    """
    if not overrides(run.job.tuner.method, "prepare"):
        return JobState(run.job, 0), _Reading()
    other = replace(run.job, tuner=run.model.tuner(run.resolved.stages[0], run.plugins))
    with _counting() as counter:
        JobState(other, 0)
    since = perf_counter()
    state = JobState(run.job, 0)
    _synchronize()
    return state, _Reading(counter.get_total_flops(), (perf_counter() - since,))


def _stages(state: JobState, run: RunJob) -> list[tuple[int, _Reading]]:
    """The number of steps of each stage of the training, and a reading of one."""
    optimizer = OPTIMIZERS[state.recipe.optimizer](state.groups)
    stack, loaded, step = stepper([state], optimizer, run.accelerator)
    seed = state.begin_epoch(optimizer)
    batches = cycle([*islice(on_device(loaded, run.accelerator.device), BATCHES)])

    def steps(begin: int, end: int) -> Callable[[], None]:
        """A function that trains on the next batch, as the next step of a stage."""
        numbers = iter([*range(begin, end), *[end - 1] * (WARM_UP + STEPS + BATCHES + 1)])

        def do() -> None:
            number = next(numbers)
            if state.notes_steps:
                state.begin_step(number, optimizer)
            step(*next(batches))

        return do

    stages, begin = [], 0
    with torch.random.fork_rng():
        stack.seed([seed])
        while begin < state.length.steps:
            _, end = stage_of(begin, state.length.steps, run.job.tuner.method.stages)
            stages.append((end - begin, _read(steps(begin, end), stack, WARM_UP, STEPS, BATCHES)))
            begin = end
    return stages


@torch.no_grad()
def _of_images(run: RunJob) -> tuple[_Reading, _Reading]:
    """Of a batch of images: what is computed before a training reads them, and the whole test of them."""
    tuner, task = run.job.tuner.eval(), run.resolved.stages[0].tests[0]
    backbone, method = tuner.backbone, tuner.method
    pixels = torch.rand(TEST_BATCH, 3, *backbone.image_size, device=backbone.scale.device)

    def encode() -> Tensor:
        return backbone.image_states(pixels, method.first_image_layer) if tokens else backbone.encode_image(pixels)

    def test() -> None:
        with run.accelerator.autocast():
            tuner(pixels if method.tunes_image else encode(), task.classes)

    tokens = isinstance(run.job.images, LayerStates)
    encoding = _read(encode, tuner, 1, TESTS) if tokens or not method.tunes_image else _Reading()
    return encoding, _read(test, tuner, 1, TESTS)


def _read(do: Callable[[], object], module: nn.Module, before: int, times: int, counts: int = 1) -> _Reading:
    """Read a call.

    Args:
        do: the call.
        module: whose weights count as there before.
        before: calls that are not read.
        times: calls that are timed.
        counts: calls whose operations are averaged: what a step computes may depend on its labels.
    """
    for _ in range(before):
        do()
    with _counting() as counter:
        for _ in range(counts):
            do()
    with _keeping(module) as kept:
        do()
    seconds = []
    for _ in range(times):
        _synchronize()
        since = perf_counter()
        do()
        _synchronize()  # a GPU may still be computing when the call returns
        seconds.append(perf_counter() - since)
    return _Reading(round(counter.get_total_flops() / counts), tuple(seconds), kept[0])


class _NoModules(ModuleTracker):
    """Operations are of no module: the tracker's hooks fail on views of parameters where no gradient is recorded."""

    def __enter__(self) -> _NoModules:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def _counting() -> FlopCounterMode:
    counter = FlopCounterMode(display=False, custom_mapping=ATTENTION)
    counter.mod_tracker = _NoModules()
    return counter


@contextmanager
def _keeping(module: nn.Module) -> Iterator[list[int]]:
    """A block; the list's entry is then what it kept for the backward pass in bytes, each storage once, or on a GPU its peak."""
    kept, storages = [0], dict[int, int]()

    def pack(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    weights = [*module.parameters(), *module.buffers()]
    if weights[0].is_cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield kept
        kept[0] = torch.cuda.max_memory_allocated() - before
        return
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept
    for weight in weights:
        storages.pop(weight.untyped_storage().data_ptr(), None)
    kept[0] = sum(storages.values())


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
