"""One resolved spec on its way to a result: what is loaded, trained and tested, and what is said about it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch

from depthub import presets, settings
from depthub.backbone import Backbone
from depthub.cache import Cache
from depthub.checkpoint import Checkpoint
from depthub.data.dataset import Data, DataSet, Fingerprinting
from depthub.data.folder import Folder
from depthub.data.imagecache import cached
from depthub.data.views import Views, drafted, mixed, pixels, transform
from depthub.device import accelerator
from depthub.engine import Course, Labelled, OnEpoch, evaluate
from depthub.errors import DepthubError
from depthub.features import ImageFeatures, ViewFeatures
from depthub.loading import load_backbone
from depthub.model import Tuner
from depthub.plugins import Plugins, installed
from depthub.protocol import Count, Protocol, Stage, Task
from depthub.provenance import Stopwatch, collect
from depthub.spec import BackboneSpec, DataSpec, NamedBackbone, RunSpec
from depthub.store import RunResult, Sample, Store

FOLDER = "folder:"


@dataclass(frozen=True)
class How:
    """What changes no number of a run; see `run`."""

    data_root: Path | None
    force: bool
    workers: int
    cache: bool
    image_cache: Path | None
    graphs: bool
    recompute: bool


class Attempt:
    """One resolved spec on its way to a result."""

    def __init__(self, spec: RunSpec, store: Store, how: How, on_epoch: OnEpoch | None) -> None:
        self.spec, self.store, self.how, self.on_epoch = spec, store, how, on_epoch
        self.cache = Cache.here() if how.cache else None
        self.plugins = installed()
        self.training = presets.recipe(spec, self.plugins)
        self.warnings: list[str] = []
        self.notes: dict[str, tuple[str, ...]] = {}  # of the data sets that were read, by name
        self.digests: dict[str, str] = {}
        self.samples: list[Sample] = []
        self.stacked = 1  # runs that trained together with this one, itself included
        self._steps = self._result()

    def advance(self) -> RunResult | Exception | None:
        """Go on to the next training, which `course` then is; if there is none, returns what the run gave or failed with."""
        try:
            self.course = next(self._steps)
        except StopIteration as end:
            return cast(RunResult, end.value)
        except Exception as error:
            return error
        return None

    def _result(self) -> Generator[Course, None, RunResult]:
        """Yields every training that the run needs; whoever asks for the next one has carried out the last."""
        if not self.how.force and (found := self.store.load(self.spec)):
            return found
        self.accelerator = accelerator(self.training.precision, graphs=self.how.graphs)
        main = self.accelerator.is_main_process
        if main:
            self.plugins.notify("depthub_run_started", spec=self.spec)
        counts, cost = yield from self._stages()
        scores = self._protocol().scores(counts)
        result = RunResult(self.spec, counts, scores, self._provenance(), cost, tuple(self.warnings), tuple(self.samples))
        if main:
            self.store.save(result)
            self.plugins.notify("depthub_run_finished", result=result)
        self.accelerator.wait_for_everyone()
        return result

    def _stages(self) -> Generator[Course, None, tuple[dict[str, Count], dict[str, Any]]]:
        """Train and test every stage; returns the counts by test task and the cost."""
        spec, counts = self.spec, {}
        watch = self.watch = Stopwatch()
        backbone = frozen(spec.backbone).to(self.accelerator.device)
        backbone.recompute = self.how.recompute
        stages = self._protocol().stages(self._load(spec.data.name), self._load, spec.shots, spec.seed)
        for number, stage in enumerate(stages):
            self._note_short_classes(stage.train)
            self._note_sample(stage)
            tuner = self._tuner(backbone, stage).to(self.accelerator.device)
            checkpoint = Checkpoint(self.store.path(spec) / f"tuned-{number}.safetensors", spec.run_id)
            if self.how.force and self.accelerator.is_main_process:
                checkpoint.path.unlink(missing_ok=True)
            self.accelerator.wait_for_everyone()
            workers = self.how.workers if tuner.method.tunes_image else 0  # features are in memory
            with watch.measure("train_s"):
                images = self._images(tuner, stage.train, training=True)
            yield Course(tuner, images, stage.train.classes, self.training, spec.seed, checkpoint, self.on_epoch, workers, self.how.graphs)
            with watch.measure("eval_s"):
                for task in stage.tests:
                    counts[task.name] = evaluate(tuner, self._images(tuner, task, training=False), task.classes, self.accelerator, workers)
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
        """A task's images as features where the image side is not tuned, of random views if the recipe wants them; else as pixels."""
        published = training and self.training.augmentation == "published"
        size, statistics, examples = tuner.backbone.image_size, tuner.backbone.image_statistics, task.examples
        if self.spec.data.decoding == "draft" and not published:  # a random view may enlarge a small part of the picture
            examples = drafted(examples, size)
        if not tuner.method.tunes_image:
            features = features_of(self.spec.backbone, self.cache)
            if published:
                return ViewFeatures(features, examples, self.spec.seed, self.how.workers)
            return features.of(examples, self.how.workers)
        if self.how.image_cache and not published and isinstance(examples.read, Fingerprinting):
            return Views(cached(examples, size, self.how.image_cache, self.how.workers), pixels(statistics), self.spec.seed)
        return Views(examples, transform(size, statistics, augment=published), self.spec.seed)

    def _load(self, name: str) -> Data:
        """A data set by name; the run's own keeps its settings.

        Raises:
            DepthubError: for what the run's spec cannot tell from other data of the same name, and for images that cannot be drafts.
        """
        own = name == self.spec.data.name
        if name.startswith(FOLDER) and not own:
            raise DepthubError(f"{name!r} can be trained on, but not tested on beside another data set; name one that a plugin provides")
        spec = self.spec.data if own else DataSpec(name, decoding=self.spec.data.decoding)
        found = data_set(spec, self.plugins)
        made = found.load(self.how.data_root).named(name)
        if spec.decoding == "draft":
            drafted(made.test, (1, 1))
        self.notes[name], self.digests[name] = made.notes, spec.sha256 or found.digest(self.how.data_root)
        self.warnings.extend(note for note in made.notes if note not in self.warnings)
        return made

    def _protocol(self) -> Protocol:
        made: Protocol = settings.make(self.spec.protocol, "protocols", self.plugins)
        return made

    def _note_short_classes(self, task: Task) -> None:
        have = [task.examples.labels.count(label) for label in range(len(task.classes))]
        short = [f"{name} ({n})" for name, n in zip(task.classes.names, have, strict=True) if n < self.spec.shots]
        if short:
            self.warnings.append(f"fewer than {self.spec.shots} training images, all are used: {', '.join(short)}")

    def _note_sample(self, stage: Stage) -> None:
        drawn = stage.drawn
        source = drawn.source or self.spec.data.name
        self.samples.append(Sample(stage.train.name, self._label(source), drawn.ids, drawn.labels, self.notes[source]))

    def _label(self, data: str) -> str:
        """A data set's name without the place of its files."""
        return self.spec.without_places().data.name if data == self.spec.data.name else data

    def _provenance(self) -> dict[str, Any]:
        used = [(kind, c.name) for kind, c in (("methods", self.spec.method), ("heads", self.spec.head), ("protocols", self.spec.protocol))]
        reports = [(kind, name, self.plugins.provider(kind, name)) for kind, name in used]
        made = collect([(kind, name, r.distribution, r.version) for kind, name, r in reports], self.accelerator.num_processes)
        made["presets"] = presets.matching(self.spec, self.plugins)
        lists = {self._label(name): sha256 for name, sha256 in self.digests.items() if sha256}
        if self.stacked > 1:
            made["execution"]["stacked"] = self.stacked
        if self.how.graphs:
            made["execution"]["graphs"] = True
        return {**made, "backbone_sha256": frozen(self.spec.backbone).digest(), "data_sha256": lists}


def data_set(spec: DataSpec, plugins: Plugins) -> DataSet:
    """The data set that a spec means.

    Raises:
        DepthubError: for a name that nobody knows, or settings that it does not take.
    """
    if spec.name.startswith(FOLDER):
        return Folder(Path(spec.name.removeprefix(FOLDER)), spec.test_fraction)
    if spec.test_fraction != DataSpec.test_fraction:
        raise DepthubError(f"test_fraction is for {FOLDER}PATH only; data set {spec.name!r} has a test set of its own")
    known = plugins.names("datasets")
    meant = [name for name in known if spec.name.lower() in map(str.lower, plugins.get("datasets", name).aliases)]
    if spec.name not in known and meant:
        raise DepthubError(f"unknown data set {spec.name!r}; did you mean {meant[0]!r}?")
    found: DataSet = plugins.get("datasets", spec.name)
    return found


def named(plugins: Plugins) -> dict[str, NamedBackbone]:
    """The backbones that plugins provide, by name."""
    return {name: plugins.get("backbones", name) for name in plugins.names("backbones")}


@lru_cache(maxsize=1)
def frozen(spec: BackboneSpec) -> Backbone:
    """The model of the last run; runs that follow one another mostly share it."""
    return load_backbone(spec, named(installed()))


@lru_cache(maxsize=1)
def features_of(backbone: BackboneSpec, cache: Cache | None) -> ImageFeatures:
    """What the model of the last run sees in images."""
    return ImageFeatures(frozen(backbone), backbone, cache)
