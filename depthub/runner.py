"""From a spec to a result: `run` does one, `run_many` does several wherever an executor takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
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
from depthub.device import accelerator, determinism
from depthub.engine import Course, Labelled, OnEpoch, evaluate, fit_together
from depthub.errors import DepthubError
from depthub.executor import Executor
from depthub.features import ImageFeatures, ViewFeatures
from depthub.loading import load_backbone, weights_digest
from depthub.model import Tuner
from depthub.plugins import Plugins, installed
from depthub.protocol import Count, Protocol, Stage, Task
from depthub.provenance import Stopwatch, collect
from depthub.spec import BackboneSpec, DataSpec, NamedBackbone, RunSpec
from depthub.stack import MOST, Limit, arrange
from depthub.store import RunResult, Sample, Store

FOLDER = "folder:"
OnDone = Callable[[int, "RunResult | Exception", bool], None]
OnNote = Callable[[str], None]


def resolve(spec: RunSpec, data_root: Path | None = None) -> RunSpec:
    """The spec with everything spelt out that the numbers depend on; nothing is trained or loaded.

    Args:
        spec: what to run.
        data_root: folder that holds the data sets.

    Raises:
        DepthubError: for unknown names or settings, and for files that are missing or not those the spec names.
    """
    plugins = installed()
    data = _data_set(spec.data, plugins)
    training = presets.recipe(spec, plugins)
    augmentation = data.augmentation if training.augmentation == "auto" else training.augmentation
    files = data.digest(data_root)
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
    cache: bool = True,
    image_cache: Path | None = None,
    deterministic: bool = False,
    graphs: bool = False,
    recompute: bool = False,
    on_epoch: OnEpoch | None = None,
) -> RunResult:
    """Do one run, or find it done.

    Args:
        spec: what to run; it is resolved first.
        runs: folder of the run files.
        data_root: folder that holds the data sets.
        force: do it again even if it is done.
        workers: processes that read images.
        cache: keep image features on disk for later runs; the environment says where (see `Cache`).
        image_cache: a folder where images that are read again and again, because the method tunes the image side, are kept decoded.
        deterministic: the same bits every time, also on a GPU, where some sums have no fixed order otherwise; on a CPU it is always so.
        graphs: on a GPU, play the training steps from a CUDA graph: the same numbers with one launch a step instead of hundreds.
        recompute: where image prompts are tuned, keep less for the backward pass and compute it again: less memory, more time.
        on_epoch: told the number of epochs done in a stage, and the mean loss.

    Raises:
        DepthubError: for what the user can mend.
    """
    how = _How(data_root, force, workers, cache, image_cache, graphs, recompute)
    made = _Run(resolve(spec, data_root), Store(Path(runs)), how, on_epoch)
    with determinism(deterministic):
        ((_, outcome),) = _carry_out([made], "off", None)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def run_many(
    specs: Sequence[RunSpec],
    *,
    runs: Path = Path("runs"),
    data_root: Path | None = None,
    force: bool = False,
    workers: int = 0,
    cache: bool = True,
    image_cache: Path | None = None,
    deterministic: bool = False,
    graphs: bool = False,
    recompute: bool = False,
    executor: Executor | None = None,
    stack: Limit = "auto",
    on_done: OnDone | None = None,
    on_epoch: OnEpoch | None = None,
    on_note: OnNote | None = None,
) -> list[RunResult]:
    """Do several runs and return their results in the order of `specs`.

    Every spec is checked before the first is run. Finished runs are found on disk; the others go to the executor. Without one they are done
    here, and those that differ in seed, head, settings or learning rate only train together, each as if it were alone.

    Args:
        specs: what to run.
        runs, data_root, force, workers, cache, image_cache, deterministic, graphs, recompute: as in `run`.
        executor: where runs go, each on its own; by default into this process.
        stack: how many train together at the most; "auto" as many as memory allows, "off" none. Processes that share runs do one at a time.
        on_done: told (index, result or error, whether it was found on disk) as each ends.
        on_epoch: as in `run`; without an executor only.
        on_note: told why runs that might train together do not.

    Raises:
        DepthubError: if runs failed, after all others have ended; the first failure's own error.
    """
    if isinstance(stack, int) and stack < 1:
        raise DepthubError(f"stack is {stack}, expected auto, off or at least 1")
    store, resolved = Store(Path(runs)), [resolve(spec, data_root) for spec in specs]
    results: dict[int, RunResult | Exception] = {}
    for i, spec in enumerate(resolved):
        found = None if force else store.load(spec)
        if found:
            results[i] = found
            if on_done:
                on_done(i, found, True)
    waiting = [i for i in range(len(resolved)) if i not in results]
    todo = [resolved[i] for i in waiting]
    how = _How(data_root, force, workers, cache, image_cache, graphs, recompute)
    if executor:
        outcomes = executor.map(partial(run, runs=runs, deterministic=deterministic, **asdict(how)), todo)
    else:
        outcomes = _here(partial(_Run, store=store, how=how, on_epoch=on_epoch), todo, stack, on_note)
    with determinism(deterministic), closing(outcomes):  # workers stop at once if the caller does
        for place, outcome in outcomes:
            results[waiting[place]] = outcome
            if on_done:
                on_done(waiting[place], outcome, False)
    for outcome in results.values():
        if isinstance(outcome, Exception):
            raise outcome
    return [r for _, r in sorted(results.items()) if isinstance(r, RunResult)]


def _here(
    begin: Callable[[RunSpec], _Run], specs: Sequence[RunSpec], stack: Limit, note: OnNote | None
) -> Generator[tuple[int, RunResult | Exception], None, None]:
    """In this process; a failure does not stop the rest. Yields (place among `specs`, outcome) as each run ends."""
    for places in _batches(specs, stack):
        runs = {begin(specs[place]): place for place in places}
        for run, outcome in _carry_out(list(runs), stack, note):
            yield runs[run], outcome


def _batches(specs: Sequence[RunSpec], stack: Limit) -> list[list[int]]:
    """Places of the runs that may train together and are begun together, in the order of the first of each."""
    alike: dict[Hashable, list[int]] = {}
    for place, spec in enumerate(specs):
        training = spec.training
        assert training is not None, "the spec is resolved"
        recipe = (training.batch_size, training.precision, training.augmentation)
        key = (spec.method.name, spec.protocol, spec.data, spec.backbone, spec.shots, recipe)
        alike.setdefault(place if stack in ("off", 1) else key, []).append(place)
    most = max(MOST, stack) if isinstance(stack, int) else MOST
    return [places[i : i + most] for places in alike.values() for i in range(0, len(places), most)]


def _carry_out(runs: Sequence[_Run], stack: Limit, note: OnNote | None) -> Generator[tuple[_Run, RunResult | Exception], None, None]:
    """Bring runs to their next training, train them in stacks, and so on; yields each with its outcome as it ends."""
    going = []
    for run in runs:
        outcome = run.advance()
        if outcome is None:
            going.append(run)
        else:
            yield run, outcome
    arranged = arrange([run.course for run in going], stack if all(run.accelerator.num_processes == 1 for run in going) else "off")
    if note:
        for (name, why), number in Counter((going[i].spec.method.name, why) for (i, *_), why in arranged if why).items():
            note(f"{number} {'run' if number == 1 else 'runs'} of {name} trained alone: {why}")
    for places, _ in arranged:
        together = [going[place] for place in places]
        errors = _train(together)
        yield from ((run, error) for run, error in zip(together, errors, strict=True) if error)
        yield from _carry_out([run for run, error in zip(together, errors, strict=True) if not error], stack, note)


def _train(runs: Sequence[_Run]) -> Sequence[Exception | None]:
    """Train runs together, and share the time out among them; returns what each failed with."""
    watches = [run.watch for run in runs]
    before = watches[0].seconds["train_s"]
    for run in runs:
        run.stacked = max(run.stacked, len(runs))
    try:
        with watches[0].measure("train_s"):
            return fit_together([run.course for run in runs], runs[0].accelerator)
    except Exception as error:
        if len(runs) > 1:
            error.add_note(f"in a stack of {len(runs)} runs; with stack='off' each trains alone, from its last checkpoint on")
        return [error] * len(runs)
    finally:
        share = (watches[0].seconds["train_s"] - before) / len(runs)
        watches[0].seconds["train_s"] = before
        for watch in watches:
            watch.seconds["train_s"] += share


@dataclass(frozen=True)
class _How:
    """What changes no number of a run; see `run`."""

    data_root: Path | None
    force: bool
    workers: int
    cache: bool
    image_cache: Path | None
    graphs: bool
    recompute: bool


class _Run:
    """One resolved spec on its way to a result."""

    def __init__(self, spec: RunSpec, store: Store, how: _How, on_epoch: OnEpoch | None) -> None:
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
        backbone = _backbone(spec.backbone).to(self.accelerator.device)
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
            features = _features(self.spec.backbone, self.cache)
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
        found = _data_set(spec, self.plugins)
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
        return {**made, "backbone_sha256": _backbone(self.spec.backbone).digest(), "data_sha256": lists}


def _data_set(spec: DataSpec, plugins: Plugins) -> DataSet:
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


def _named(plugins: Plugins) -> dict[str, NamedBackbone]:
    return {name: plugins.get("backbones", name) for name in plugins.names("backbones")}


@lru_cache(maxsize=1)
def _backbone(spec: BackboneSpec) -> Backbone:
    """The model of the last run; runs that follow one another mostly share it."""
    return load_backbone(spec, _named(installed()))


@lru_cache(maxsize=1)
def _features(backbone: BackboneSpec, cache: Cache | None) -> ImageFeatures:
    """What the model of the last run sees in images."""
    return ImageFeatures(_backbone(backbone), backbone, cache)
