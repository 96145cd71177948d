"""From a spec to a result: `run` does one, `run_many` does several wherever an executor takes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DataLoaderConfiguration, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState, PartialState

from depthub import presets, settings
from depthub.backbone import Backbone
from depthub.checkpoint import Checkpoint
from depthub.data.dataset import Data, DataSet
from depthub.data.folder import Folder
from depthub.data.views import Views, mixed, transform
from depthub.engine import Labelled, OnEpoch, evaluate, fit
from depthub.errors import DepthubError
from depthub.executor import Executor
from depthub.features import ImageFeatures
from depthub.loading import load_backbone, weights_digest
from depthub.model import Tuner
from depthub.plugins import Plugins, installed
from depthub.protocol import Count, Protocol, Stage, Task
from depthub.provenance import Stopwatch, collect
from depthub.spec import BackboneSpec, DataSpec, NamedBackbone, RunSpec
from depthub.store import RunResult, Store

FOLDER = "folder:"
OnDone = Callable[[int, "RunResult | Exception", bool], None]


def resolve(spec: RunSpec) -> RunSpec:
    """The spec with everything spelt out that the numbers depend on; nothing is trained or loaded.

    Raises:
        DepthubError: for unknown names or settings, and for files that are missing or not those the spec names.
    """
    plugins = installed()
    data = _data_set(spec.data, plugins)
    training = presets.recipe(spec, plugins)
    augmentation = data.augmentation if training.augmentation == "auto" else training.augmentation
    files = data.digest() if isinstance(data, Folder) else ""
    weights = weights_digest(spec.backbone, _named(plugins))
    for what, given, found in (("data", spec.data.sha256, files), ("backbone", spec.backbone.sha256, weights)):
        if given and given != found:
            raise DepthubError(f"the files of {what} are not those of the spec: sha256 {found[:12] or 'none'}, expected {given[:12]}")
    return replace(
        spec,
        method=settings.complete(spec.method, "methods", plugins),
        head=settings.complete(spec.head, "heads", plugins),
        protocol=settings.complete(spec.protocol, "protocols", plugins),
        data=replace(spec.data, sha256=files),
        backbone=replace(spec.backbone, sha256=weights),
        training=replace(training, augmentation=augmentation),
    )


def run(
    spec: RunSpec,
    *,
    runs: Path = Path("runs"),
    data_root: Path | None = None,
    force: bool = False,
    workers: int = 0,
    on_epoch: OnEpoch | None = None,
) -> RunResult:
    """Do one run, or find it done.

    Args:
        spec: what to run; it is resolved first.
        runs: folder of the run files.
        data_root: folder that holds the data sets.
        force: do it again even if it is done.
        workers: processes that read images, where they are read more than once.
        on_epoch: told the number of epochs done in a stage, and the mean loss.

    Raises:
        DepthubError: for what the user can mend.
    """
    return _Run(resolve(spec), Store(Path(runs)), data_root, workers, on_epoch).result(force)


def run_many(
    specs: Sequence[RunSpec],
    *,
    runs: Path = Path("runs"),
    data_root: Path | None = None,
    force: bool = False,
    executor: Executor | None = None,
    on_done: OnDone | None = None,
    on_epoch: OnEpoch | None = None,
) -> list[RunResult]:
    """Do several runs and return their results in the order of `specs`.

    Every spec is checked before the first is run. Finished runs are found on disk; the others go to the executor.

    Args:
        specs: what to run.
        runs, data_root, force: as in `run`.
        executor: where runs go; by default one after the other in this process.
        on_done: told (index, result or error, whether it was found on disk) as each ends.
        on_epoch: as in `run`; without an executor only.

    Raises:
        DepthubError: if runs failed, after all others have ended; the first failure's own error.
    """
    store, resolved = Store(Path(runs)), [resolve(spec) for spec in specs]
    results: dict[int, RunResult | Exception] = {}
    for i, spec in enumerate(resolved):
        found = None if force else store.load(spec)
        if found:
            results[i] = found
            if on_done:
                on_done(i, found, True)
    waiting = [i for i in range(len(resolved)) if i not in results]
    do = partial(run, runs=runs, data_root=data_root, force=force)
    todo = [resolved[i] for i in waiting]
    outcomes = executor.map(do, todo) if executor else _in_turn(partial(do, on_epoch=on_epoch), todo)
    with closing(outcomes):  # workers stop at once if the caller does
        for place, outcome in outcomes:
            results[waiting[place]] = outcome
            if on_done:
                on_done(waiting[place], outcome, False)
    for outcome in results.values():
        if isinstance(outcome, Exception):
            raise outcome
    return [r for _, r in sorted(results.items()) if isinstance(r, RunResult)]


def _in_turn(do: Callable[[RunSpec], RunResult], specs: Sequence[RunSpec]) -> Generator[tuple[int, RunResult | Exception], None, None]:
    """One after the other here; a failure does not stop the rest."""
    for i, spec in enumerate(specs):
        try:
            yield i, do(spec)
        except Exception as error:
            yield i, error


class _Run:
    """One resolved spec on its way to a result."""

    def __init__(self, spec: RunSpec, store: Store, data_root: Path | None, workers: int, on_epoch: OnEpoch | None) -> None:
        self.spec, self.store, self.data_root, self.workers, self.on_epoch = spec, store, data_root, workers, on_epoch
        self.plugins = installed()
        self.training = presets.recipe(spec, self.plugins)
        self.warnings: list[str] = []

    def result(self, force: bool) -> RunResult:
        if not force and (found := self.store.load(self.spec)):
            return found
        self.accelerator = _accelerator(self.training.precision)
        main = self.accelerator.is_main_process
        if main:
            self.plugins.notify("depthub_run_started", spec=self.spec)
        counts, cost = self._stages(force)
        scores = self._protocol().scores(counts)
        result = RunResult(self.spec, counts, scores, self._provenance(), cost, tuple(self.warnings))
        if main:
            self.store.save(result)
            self.plugins.notify("depthub_run_finished", result=result)
        self.accelerator.wait_for_everyone()
        return result

    def _stages(self, force: bool) -> tuple[dict[str, Count], dict[str, Any]]:
        """Train and test every stage; returns the counts by test task and the cost."""
        spec, watch, counts = self.spec, Stopwatch(), {}
        backbone = _backbone(spec.backbone).to(self.accelerator.device)
        stages = self._protocol().stages(self._load(spec.data.name), self._load, spec.shots, spec.seed)
        for number, stage in enumerate(stages):
            self._note_short_classes(stage.train)
            tuner = self._tuner(backbone, stage).to(self.accelerator.device)
            checkpoint = Checkpoint(self.store.path(spec) / f"tuned-{number}.safetensors", spec.run_id)
            if force and self.accelerator.is_main_process:
                checkpoint.path.unlink(missing_ok=True)
            self.accelerator.wait_for_everyone()
            with watch.measure("train_s"):
                images = self._images(tuner, stage.train, training=True)
                fit(
                    tuner,
                    images,
                    stage.train.classes,
                    self.training,
                    spec.seed,
                    self.accelerator,
                    checkpoint=checkpoint,
                    on_epoch=self.on_epoch,
                    workers=self.workers,
                )
            with watch.measure("eval_s"):
                for task in stage.tests:
                    counts[task.name] = evaluate(
                        tuner, self._images(tuner, task, training=False), task.classes, self.accelerator, self.workers
                    )
        tuned = sum(p.numel() for p in tuner.tuned().values())
        return counts, watch.cost(tuned, sum(p.numel() for p in tuner.parameters()))

    def _tuner(self, backbone: Backbone, stage: Stage) -> Tuner:
        """Method and head for a stage's training classes.

        Both are initialised by generators of their own, so that a method starts the same under every head.
        """
        classes = stage.train.classes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(mixed(self.spec.seed, 0))
            method = settings.make(self.spec.method, "methods", self.plugins, backbone, classes)
            torch.manual_seed(mixed(self.spec.seed, 1))
            head = settings.make(self.spec.head, "heads", self.plugins, backbone.dim, classes)
        for task in stage.tests:
            method.check(task.classes)
            head.check(task.classes)
        return Tuner(backbone, method, head)

    def _images(self, tuner: Tuner, task: Task, *, training: bool) -> Labelled:
        """A task's images as features where those never change, else as pixels."""
        published = training and self.training.augmentation == "published"
        if not tuner.method.tunes_image and not published:
            return _features(self.spec.backbone, self.spec.data, self.data_root).of(task.examples, self.workers)
        backbone = tuner.backbone
        return Views(task.examples, transform(backbone.image_size, backbone.image_statistics, augment=published), self.spec.seed)

    def _load(self, name: str) -> Data:
        """A data set by name; the run's own keeps its settings."""
        spec = self.spec.data if name == self.spec.data.name else DataSpec(name)
        return _data_set(spec, self.plugins).load(self.data_root)

    def _protocol(self) -> Protocol:
        made: Protocol = settings.make(self.spec.protocol, "protocols", self.plugins)
        return made

    def _note_short_classes(self, task: Task) -> None:
        have = [task.examples.labels.count(label) for label in range(len(task.classes))]
        short = [f"{name} ({n})" for name, n in zip(task.classes.names, have, strict=True) if n < self.spec.shots]
        if short:
            self.warnings.append(f"fewer than {self.spec.shots} training images, all are used: {', '.join(short)}")

    def _provenance(self) -> dict[str, Any]:
        used = [(kind, c.name) for kind, c in (("methods", self.spec.method), ("heads", self.spec.head), ("protocols", self.spec.protocol))]
        reports = [(kind, name, self.plugins.provider(kind, name)) for kind, name in used]
        made = collect([(kind, name, r.distribution, r.version) for kind, name, r in reports], self.accelerator.num_processes)
        made["presets"] = presets.matching(self.spec, self.plugins)
        return {**made, "backbone_sha256": _backbone(self.spec.backbone).digest()}


def _data_set(spec: DataSpec, plugins: Plugins) -> DataSet:
    if spec.name.startswith(FOLDER):
        return Folder(Path(spec.name.removeprefix(FOLDER)), spec.test_fraction)
    if spec.test_fraction != DataSpec.test_fraction:
        raise DepthubError(f"test_fraction is for {FOLDER}PATH only; data set {spec.name!r} has a test set of its own")
    found: DataSet = plugins.get("datasets", spec.name)
    return found


def _named(plugins: Plugins) -> dict[str, NamedBackbone]:
    return {name: plugins.get("backbones", name) for name in plugins.names("backbones")}


@lru_cache(maxsize=1)
def _backbone(spec: BackboneSpec) -> Backbone:
    """The model of the last run; runs that follow one another mostly share it."""
    return load_backbone(spec, _named(installed()))


@lru_cache(maxsize=16)
def _features(backbone: BackboneSpec, data: DataSpec, root: Path | None) -> ImageFeatures:
    """Image features for runs on one data set; its digest and root say that the files are still the same."""
    model = _backbone(backbone)
    return ImageFeatures(model, transform(model.image_size, model.image_statistics, augment=False))


def _accelerator(precision: str) -> Accelerator:
    """Device, precision and processes of this run.

    Raises:
        DepthubError: if the device cannot compute in this precision.
    """
    mixed = "no" if precision == "fp32" else precision
    if AcceleratorState._shared_state:  # what the process's first run set, or the parent's of a launched process
        launched = int(os.environ.get("WORLD_SIZE", "1")) != PartialState().num_processes
        if launched or AcceleratorState().mixed_precision != mixed:
            AcceleratorState._reset_state(reset_partial_state=launched)
    made = Accelerator(
        mixed_precision=mixed,
        dataloader_config=DataLoaderConfiguration(split_batches=True),  # the batch size of a recipe is the global one
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],  # a head may ignore the text, hence the prompts
    )
    if precision != "fp32" and not made.native_amp:
        raise DepthubError(f"{made.device.type} cannot train in {precision}; use bf16 or fp32")
    return made
