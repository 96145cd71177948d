"""A finished run on other images, or among other classes: its counts there, without training anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from depthub.boundary import check_data
from depthub.data.dataset import Examples
from depthub.data.fewshot import fingerprint
from depthub.data.own.by_name import OWN
from depthub.data.views import Views, drafted, transform
from depthub.encoding.image_features import ImageFeatures
from depthub.errors import DepthubError
from depthub.identity.inputs import differences
from depthub.inference.classifier import Classifier
from depthub.inference.replay import with_texts
from depthub.method import PromptMethod
from depthub.protocol import Count, Task
from depthub.records.predictions import Predictions
from depthub.registry.plugins import installed
from depthub.running import text_features
from depthub.running.resolving import Resolved, Resolver, data_set_of
from depthub.spec import DataSpec, RunSpec
from depthub.system.activity import tell
from depthub.system.disk_cache import Cache
from depthub.training.evaluation import evaluate
from depthub.training.tuner import Tuner
from depthub.types import ClassSet


@dataclass(frozen=True, eq=False)
class RescoredTask:
    """Predictions for the images of one task.

    Args:
        predictions: class indices are rows of the classes that were told apart.
        images_sha256: of the ids and labels of the images as the data set has them, as `fewshot.fingerprint` computes it.
    """

    predictions: Predictions
    images_sha256: str

    @property
    def count(self) -> Count:
        """Correct predictions in all and by class."""
        return self.predictions.count()

    def as_dict(self) -> dict[str, Any]:
        """Plain data fit for JSON, as a run's document has it; `value` in percent."""
        count = self.count
        made = {"metric": "top1", "n_correct": count.n_correct, "n_total": count.n_total, "value": count.percent}
        return made | {"per_class": [list(row) for row in count.per_class], "images_sha256": self.images_sha256}


@dataclass(frozen=True, eq=False)
class Rescored:
    """Counts of a finished run on test tasks that were not its own.

    Args:
        run_id: of the run.
        data: the data set that the images are of, without its place.
        joint: whether each task's images were told apart among the classes of all tasks.
        classes: the M classes to tell apart.
        tasks: what was predicted, by task.
        scores: in percent, as the run's protocol derives them from these counts; empty for a data set outside the protocol.
        notes: what a reader of the numbers has to know, one line each.
    """

    run_id: str
    data: DataSpec
    joint: bool
    classes: ClassSet
    tasks: Mapping[str, RescoredTask]
    scores: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data fit for JSON; counts are integers, values and scores in percent."""
        return {
            "run_id": self.run_id,
            "data": self.data.as_dict(),
            "joint": self.joint,
            "classes": list(self.classes.names),
            "measurements": [{"task": name, **task.as_dict()} for name, task in self.tasks.items()],
            "scores": {name: float(value) for name, value in self.scores.items()},
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Reading:
    """How images are read; no number depends on it.

    Args:
        data_root: the folder that holds data sets on this machine.
        workers: data-loading processes.
        cache: keep image features on disk, and use those that are there.
    """

    data_root: Path | None = None
    workers: int = 0
    cache: bool = True


def _read_alike(name: str, trained_on: DataSpec) -> DataSpec:
    """A data set read as the run's own was, as far as it can be."""
    if name.startswith(tuple(OWN)):
        return DataSpec(name, decoding=trained_on.decoding, background=trained_on.background, template=trained_on.template)
    return DataSpec(name, decoding=trained_on.decoding)


def rescore(classifier: Classifier, data: DataSpec | str, reading: Reading = Reading()) -> Rescored:
    """Test a finished run on the test images of another data set.

    A class with the words of one that the run knows is that class: a head reads it as in the run. All others are new classes to it.

    Args:
        classifier: of the run, see `depthub.load`.
        data: a data set that a plugin provides, `folder:PATH` or `list:FILE`; by its name alone, its pictures are decoded as the run's.
        reading: how images are read.

    Raises:
        DepthubError: for a data set that is not there, classes that the method or head cannot name, and training images among the test
            images; before any image is read.
    """
    spec = data if isinstance(data, DataSpec) else _read_alike(data, classifier.result.spec.data)
    data_set = data_set_of(spec, installed())
    loaded = data_set.load(reading.data_root)
    check_data(loaded, spec.name)
    classes = classifier.recognised(loaded.classes, f"data set {spec.name!r}", loaded.homonyms)
    spec = RunSpec(data=replace(spec, sha256=data_set.digest(reading.data_root))).without_places().data
    test = loaded.named(spec.name).test
    _require_unseen(classifier, test, spec.name)
    test = drafted(test, classifier.tuner.backbone.image_size) if spec.decoding == "draft" else test
    tested = _tested(classifier, Task(spec.name, test, classes), classes, reading)
    notes = (*loaded.notes, _trained(classifier, classes))
    return Rescored(classifier.result.spec.run_id, spec, False, classes, {spec.name: tested}, notes=notes)


def rescore_jointly(classifier: Classifier, data: str = "", reading: Reading = Reading()) -> Rescored:
    """Test a finished run on its own test images, each told apart among the classes of all its test tasks together.

    Text features that the run stored are used where prompts alone make them; image features that were cached are found again.

    Args:
        classifier: of the run, see `depthub.load`.
        data: the run's data set with its place, `folder:PATH` or `list:FILE`; empty for one that a plugin provides.
        reading: how images are read.

    Raises:
        DepthubError: if the data is not the run's, the tasks' classes are of several label spaces, or the method or head cannot name all
            of them at once; before any image is read.
    """
    result = classifier.result
    resolved = _resolved(classifier, data, reading.data_root)
    tests = resolved.stages[result.stages.index(classifier.stage)].tests
    classes = _union([task.classes for task in tests])
    classifier.tuner.check(classes)
    for task in tests:
        if fingerprint(task.examples.ids, task.examples.labels) != result.tasks[task.name].images_sha256:
            raise DepthubError(f"the test images of {task.name!r} are not those of the run; expected the data that it was tested on")
    tuner = _with_stored_text(classifier, tests, classes)
    tested = {task.name: _tested(classifier, task, classes, reading, tuner) for task in tests}
    scores = resolved.protocol.scores({name: one.count for name, one in tested.items()})
    return Rescored(result.spec.run_id, result.spec.data, True, classes, tested, scores, (_trained(classifier, classes),))


def _require_unseen(classifier: Classifier, test: Examples, name: str) -> None:
    """Refuse training images of the run among the test images."""
    for sample in classifier.result.samples:
        both = set(sample.ids) & set(test.ids) if sample.data == name else ()
        if both:
            raise DepthubError(
                f"{len(both)} images that the run was trained on are among the test images of {name!r}, {min(both)!r} for example; "
                "divide them as the run did, or rename the folder if it holds other pictures"
            )


def _resolved(classifier: Classifier, data: str, data_root: Path | None) -> Resolved:
    """The run's spec with all that it means, as it was.

    Raises:
        DepthubError: if anything is missing, or other than it was.
    """
    result = classifier.result
    spec = result.spec
    if not data and spec.data.name.startswith(tuple(OWN)):
        raise DepthubError(
            f"the run's data set {spec.data.name!r} has another place on each machine; name it with data (--data {spec.data.name})"
        )
    resolved = Resolver(data_root)(replace(spec, data=replace(spec.data, name=data or spec.data.name), backbone=classifier.weights))
    if resolved.spec.run_id != spec.run_id:
        raise DepthubError(f"{data} is not the data of run {spec.run_id[:12]}, which is {spec.data.name!r}")
    recorded = result.provenance["inputs"]
    if differing := differences(recorded["data"], resolved.inputs(recorded["backbone"])["data"]):
        raise DepthubError(f"the images are not those of the run: {'; '.join(differing)}; put back what it was tested on, or run it again")
    return resolved


def _union(sets: Sequence[ClassSet]) -> ClassSet:
    """All classes of several sets of one label space, each once, in the order in which they come."""
    if len(spaces := {classes.space for classes in sets}) > 1:
        raise DepthubError(
            f"the test tasks have classes of {len(spaces)} label spaces ({', '.join(sorted(spaces))}); a joint one needs one"
        )
    names = {i: name for classes in reversed(sets) for i, name in zip(classes.ids, classes.names, strict=True)}
    ids = tuple(dict.fromkeys(i for classes in sets for i in classes.ids))
    return replace(sets[0], ids=ids, names=tuple(names[i] for i in ids))


def _with_stored_text(classifier: Classifier, tests: Sequence[Task], classes: ClassSet) -> Tuner:
    """The tuner with the text features that the run stored of its tasks, as far as it stored them and prompts alone make them.

    Raises:
        DepthubError: if the file of them is damaged, or not the run's.
    """
    result, method = classifier.result, classifier.tuner.method
    sha256, path = result.files.get(text_features.FILE), (result.folder or Path()) / text_features.FILE
    if sha256 is None or not path.is_file() or method.needs_image or not isinstance(method, PromptMethod):
        return classifier.tuner
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise DepthubError(f"{path} is not the file that the run beside it was written with; delete it, or run it again")
    stored, _ = text_features.read(path)
    if not stored.keys() >= {task.name for task in tests}:
        return classifier.tuner
    rows = {i: row for task in reversed(tests) for i, row in zip(task.classes.ids, stored[task.name], strict=True)}
    text = torch.stack([rows[i] for i in classes.ids]).to(classifier.accelerator.device)
    return with_texts(classifier.tuner, [text])


def _tested(classifier: Classifier, task: Task, classes: ClassSet, reading: Reading, tuner: Tuner | None = None) -> RescoredTask:
    """A task's images, told apart among `classes`, of which the task's are some."""
    rows = task.classes.rows_in(classes)
    assert rows is not None, "the classes are made of the task's"
    examples = replace(task.examples, labels=tuple(rows[label] for label in task.examples.labels))
    images = _images(classifier, examples, reading)
    workers = reading.workers if classifier.tuner.method.tunes_image else 0  # features are in memory
    testing = partial(tell, f"testing {task.name}")
    kept = evaluate(tuner or classifier.tuner, images, classes, classifier.accelerator, workers, task=task.name, on_progress=testing)
    return RescoredTask(kept, fingerprint(task.examples.ids, task.examples.labels))


def _images(classifier: Classifier, examples: Examples, reading: Reading) -> Any:
    """Labelled features, or pixels where the method tunes the image side."""
    backbone = classifier.tuner.backbone
    if classifier.tuner.method.tunes_image:
        return Views(examples, transform(backbone.image_size, backbone.image_statistics, augment=False))
    features = ImageFeatures(backbone, classifier.weights, Cache.here() if reading.cache else None)
    return features.of(examples, reading.workers, partial(tell, "encoding images"))


def _trained(classifier: Classifier, classes: ClassSet) -> str:
    trained = set(classifier.stage.classes.ids) & set(classes.ids)
    return f"{len(trained)} of the {len(classes)} classes are classes that the run was trained on"
