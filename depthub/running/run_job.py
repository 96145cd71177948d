"""One resolved spec on its way to a result: what is trained and tested, and what is recorded with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, cast

import torch
from accelerate import Accelerator

from depthub.boundary import check_scores
from depthub.boundary.frozen import check_hooks, check_unchanged, marks
from depthub.boundary.outputs import explain_making
from depthub.boundary.owner import within
from depthub.compute.device import accelerator
from depthub.data.dataset import Fingerprinting
from depthub.data.fewshot import fingerprint
from depthub.data.image_cache import cached
from depthub.data.views import Views, drafted, pixels, transform
from depthub.encoding.image_features import ViewFeatures
from depthub.protocol import Stage, Task
from depthub.records import predictions, scoring
from depthub.records.document import PREDICTIONS
from depthub.records.predictions import Predictions
from depthub.records.result import RunResult, Sample, TestedTask, TrainedStage
from depthub.records.store import Store
from depthub.registry import presets
from depthub.registry.plugins import installed
from depthub.running import text_features
from depthub.running.models import features_of, frozen, untrained
from depthub.running.options import RunOptions
from depthub.running.resolving import Resolved
from depthub.spec import Training
from depthub.system.activity import tell
from depthub.system.disk_cache import Cache
from depthub.system.provenance import Stopwatch, collect
from depthub.training.checkpoint import Checkpoint
from depthub.training.evaluation import evaluate
from depthub.training.job import Labelled, OnEpoch, TrainingJob
from depthub.training.tuner import Tuner

OnNote = Callable[[str], None]


@dataclass
class Findings:
    """What the tests of a run gave so far, by test task.

    Args:
        predictions: for every test image.
        tasks: what was told apart, and with which sentences.
        text: class features (M, d), not normalised, where they do not depend on the image.
    """

    predictions: dict[str, Predictions] = field(default_factory=dict)
    tasks: dict[str, TestedTask] = field(default_factory=dict)
    text: dict[str, torch.Tensor] = field(default_factory=dict)


class RunJob:
    """One resolved spec on its way to a result."""

    def __init__(self, resolved: Resolved, store: Store, options: RunOptions, on_epoch: OnEpoch | None, note: OnNote) -> None:
        self.resolved, self.spec, self.store, self.options = resolved, resolved.spec, store, options
        self.on_epoch, self.note = on_epoch, note
        self.cache = Cache.here() if options.cache else None
        self.plugins = installed()
        self.stacked = 1  # runs that trained together with this one, itself included
        self._steps = self._result()

    @property
    def training(self) -> Training:
        """The recipe."""
        return presets.recipe(self.spec, self.plugins)

    def advance(self) -> RunResult | None:
        """Go on to the next training, which `job` then is; if there is none, returns what the run gave.

        Raises:
            Exception: what the run failed with.
        """
        try:
            self.job = next(self._steps)
        except StopIteration as end:
            return cast(RunResult, end.value)
        return None

    @cached_property
    def accelerator(self) -> Accelerator:
        """Device, precision and processes.

        Raises:
            DepthubError: if the device cannot compute as the run asks.
        """
        return accelerator(self.training.precision, graphs=self.options.graphs)

    def _result(self) -> Generator[TrainingJob, None, RunResult]:
        """Yields every training that the run needs; whoever asks for the next one has carried out the last."""
        main = self.accelerator.is_main_process
        if main:
            self.plugins.notify("depthub_run_started", spec=self.spec)
        tell("loading the backbone")
        self.backbone = frozen(self.spec.backbone, self.options.download).to(self.accelerator.device)
        self.backbone.recompute = self.options.recompute
        self._marks = marks(self.backbone)
        tell("comparing code, data and weights")
        self.inputs = self.resolved.inputs(self.backbone.digest())
        aside = self.store.set_aside(self.spec) if main else None
        findings, cost = yield from self._stages()
        result = self._made(findings, cost)
        if main:
            files = {PREDICTIONS: predictions.dumps(findings.predictions)}
            tuned = [self._checkpoint(number).path for number in range(len(self.resolved.stages))]
            files |= {path.name: path.read_bytes() for path in tuned if path.is_file()}
            if findings.text:
                files[text_features.FILE] = text_features.dumps(findings.text, self.backbone.scale)
            result = replace(result, files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
            self.store.save(result, files)
            self.store.drop_repeated(aside, result)
            self.plugins.notify("depthub_run_finished", result=result)
        self.accelerator.wait_for_everyone()
        return result

    def _made(self, findings: Findings, cost: Mapping[str, Any]) -> RunResult:
        counts = {task: kept.count() for task, kept in findings.predictions.items()}
        with within("protocol", self.resolved.protocol):
            scores = self.resolved.protocol.scores(counts)
        check_scores(scores, self.resolved.protocol)
        summary = self.resolved.protocol.summary(scores)
        scoring.check_summary(summary, scores, f"protocol {self.spec.protocol.name}")
        stages = tuple(TrainedStage(s.train.name, s.train.classes, tuple(task.name for task in s.tests)) for s in self.resolved.stages)
        return RunResult(
            self.spec,
            counts,
            scores,
            self._provenance(),
            cost,
            tuple(self.resolved.notes),
            tuple(map(self._sample, self.resolved.stages)),
            summary,
            findings.tasks,
            stages,
            findings.predictions,
            self.store.path(self.spec),
        )

    def _stages(self) -> Generator[TrainingJob, None, tuple[Findings, dict[str, Any]]]:
        """Train and test every stage."""
        spec, findings = self.spec, Findings()
        watch = self.watch = Stopwatch()
        for number, stage in enumerate(self.resolved.stages):
            tuner = self._tuner(stage).to(self.accelerator.device)
            checkpoint = self._checkpoint(number)
            if self.options.force and self.accelerator.is_main_process:
                checkpoint.path.unlink(missing_ok=True)
            self.accelerator.wait_for_everyone()
            workers = self.options.workers if tuner.method.tunes_image else 0  # features are in memory
            with watch.measure("encode_s"):
                images = self._images(tuner, stage.train, training=True)
            job = TrainingJob(
                tuner, images, stage.train.classes, self.training, spec.seed, checkpoint, self.on_epoch, workers, self.options.graphs
            )
            before = self._encoded()
            tell("training")
            yield job
            self._check_backbone(tuner)
            # views of an epoch are encoded while it trains, for all runs of a stack together
            views = (self._encoded() - before) / self.stacked
            watch.seconds["encode_s"] += views
            watch.seconds["train_s"] += max(0.0, job.seconds - views)
            watch.resumed += checkpoint.seconds > 0
            for task in stage.tests:
                self._test(tuner, task, workers, findings)
            self._check_backbone(tuner)
        tuned = sum(p.numel() for p in tuner.tuned().values())
        return findings, watch.cost(tuned, sum(p.numel() for p in tuner.parameters()))

    def _checkpoint(self, stage: int) -> Checkpoint:
        path = self.store.path(self.spec) / f"tuned-{stage}.safetensors"
        return Checkpoint(path, self.spec.run_id, self.inputs, self.note)

    def _test(self, tuner: Tuner, task: Task, workers: int, findings: Findings) -> None:
        with self.watch.measure("encode_s"):
            images = self._images(tuner, task, training=False)
        with self.watch.measure("eval_s"):
            findings.predictions[task.name] = evaluate(
                tuner, images, task.classes, self.accelerator, workers, task=task.name, on_progress=partial(tell, f"testing {task.name}")
            )
        few = torch.stack([images[i][0] for i in range(min(2, len(task.examples)))]).to(self.accelerator.device)
        text, sentences = text_features.text_of(tuner, few, task.classes)
        if text is not None:
            findings.text[task.name] = text
        findings.tasks[task.name] = TestedTask(task.classes, sentences, fingerprint(task.examples.ids, task.examples.labels))

    def _tuner(self, stage: Stage) -> Tuner:
        spec, plugins = self.resolved.spec, self.plugins
        try:
            tuner = untrained(spec, self.backbone, stage.train.classes, plugins)
        except Exception as error:
            explain_making(error)
            raise
        self._check_backbone(tuner)
        for task in stage.tests:
            tuner.check(task.classes)
        return tuner

    def _check_backbone(self, tuner: Tuner) -> None:
        """Runs that follow share the model: if it is no longer as it was, they get another.

        Raises:
            DepthubError: if the method changed what is frozen, or what it added to the model is not called.
        """
        if marks(self.backbone) != self._marks:
            frozen.cache_clear()
            features_of.cache_clear()
            check_unchanged(self._marks, self.backbone, tuner.method)
            check_hooks(self.backbone, tuner.method)

    def _images(self, tuner: Tuner, task: Task, *, training: bool) -> Labelled:
        """A task's images as features where the image side is not tuned, of random views if the recipe wants them; else as pixels."""
        published = training and self.training.augmentation == "published"
        size, statistics, examples = tuner.backbone.image_size, tuner.backbone.image_statistics, task.examples
        if self.spec.data.decoding == "draft" and not published:  # a random view may enlarge a small part of the picture
            examples = drafted(examples, size)
        if not tuner.method.tunes_image:
            features = features_of(self.spec.backbone, self.options.download, self.cache)
            if published:
                return ViewFeatures(
                    features, examples, self.spec.seed, self.options.workers, partial(tell, "encoding views of training images")
                )
            return features.of(examples, self.options.workers, partial(tell, "encoding images"))
        if self.options.image_cache and not published and isinstance(examples.read, Fingerprinting):
            return Views(cached(examples, size, self.options.image_cache, self.options.workers), pixels(statistics), self.spec.seed)
        return Views(examples, transform(size, statistics, augment=published), self.spec.seed)

    def _encoded(self) -> float:
        """Seconds of encoding images so far, for all runs of this process."""
        return features_of(self.spec.backbone, self.options.download, self.cache).seconds

    def _sample(self, stage: Stage) -> Sample:
        drawn = stage.drawn
        source = drawn.source or self.spec.data.name
        return Sample(stage.train.name, self.resolved.label(source), drawn.ids, drawn.labels, self.resolved.data[source].notes)

    def _provenance(self) -> dict[str, Any]:
        parts = (("methods", self.spec.method), ("heads", self.spec.head), ("protocols", self.spec.protocol))
        made = collect([(kind, part.name, self.plugins.provider(kind, part.name)) for kind, part in parts], self.accelerator.num_processes)
        made["presets"] = presets.matching(self.spec, self.plugins)
        made["loaded"] = self.plugins.loaded()
        if self.stacked > 1:
            made["execution"]["stacked"] = self.stacked
        if self.options.graphs:
            made["execution"]["graphs"] = True
        lists = {self.resolved.label(name): digest for name, digest in self.resolved.digests.items() if digest}
        return {**made, "backbone_sha256": self.inputs["backbone"], "data_sha256": lists, "inputs": self.inputs}
