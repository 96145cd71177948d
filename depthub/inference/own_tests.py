"""The test tasks of a finished run, loaded again and compared with its records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from depthub.data.fewshot import fingerprint
from depthub.data.views import drafted
from depthub.errors import DepthubError
from depthub.identity.inputs import differences
from depthub.inference.other_data import is_own
from depthub.running.resolving import Resolver

if TYPE_CHECKING:
    from pathlib import Path

    from depthub.inference.classifier import Classifier
    from depthub.protocol import Protocol, Task
    from depthub.running.resolved import Resolved
    from depthub.types import ClassSet


@dataclass(frozen=True)
class OwnTests:
    """The test tasks of a run's training.

    Args:
        tasks: in the run's order.
        classes: those of all tasks together.
        protocol: of the run.
    """

    tasks: Sequence[Task]
    classes: ClassSet
    protocol: Protocol


def own_tests(classifier: Classifier, data: str, data_root: Path | None) -> OwnTests:
    """Load the test tasks of a run.

    Args:
        classifier: of the run.
        data: the run's data set with its place, `folder:PATH` or `list:FILE`; empty for one that a plugin provides.
        data_root: the folder of the data sets on this machine.

    Raises:
        DepthubError: if the data is not the run's, or the tasks' classes are of several label spaces.
    """
    tasks, protocol = own_tasks(classifier, data, data_root)
    classes = _union([task.classes for task in tasks])
    classifier.tuner.check(classes)
    return OwnTests(tasks, classes, protocol)


def own_tasks(classifier: Classifier, data: str, data_root: Path | None) -> tuple[Sequence[Task], Protocol]:
    """The test tasks of a run's training in its order, of whatever label spaces and with images as the run read them, and its protocol.

    Tasks after another epoch than the last are left out.

    Args:
        classifier, data, data_root: as in `own_tests`.

    Raises:
        DepthubError: if the data is not the run's.
    """
    result = classifier.result
    resolved = _resolved(classifier, data, data_root)
    tasks = tuple(task for stage in resolved.stages for task in stage.tests if task.name in classifier.stage.tests)
    for task in tasks:
        if fingerprint(task.examples.ids, task.examples.labels) != result.tasks[task.name].images_sha256:
            raise DepthubError(f"the test images of {task.name!r} are not those of the run; expected the data that it was tested on")
    if result.spec.data.decoding == "draft":
        size = classifier.tuner.backbone.image_size
        tasks = tuple(replace(task, examples=drafted(task.examples, size)) for task in tasks)
    return tasks, resolved.protocol


def _resolved(classifier: Classifier, data: str, data_root: Path | None) -> Resolved:
    """The run's spec, resolved as it was.

    Raises:
        DepthubError: if anything is missing, or other than it was.
    """
    result = classifier.result
    spec = result.spec
    if not data and is_own(spec.data):
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
    texts = {i: of_class for classes in sets for i, of_class in zip(classes.ids, classes.texts, strict=bool(classes.texts))}
    return replace(sets[0], ids=ids, names=tuple(names[i] for i in ids), texts=tuple(texts[i] for i in ids) if texts else ())
