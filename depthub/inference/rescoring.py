"""A finished run on other images, or among other classes: its counts there, without training anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from depthub.inference.other_data import other_data
from depthub.inference.own_tests import own_tests
from depthub.inference.readings import read_by
from depthub.inference.rescored import Rescored, ScoredBy
from depthub.inference.rescored_task import rescored
from depthub.inference.sides import Sides, trade_off_of
from depthub.inference.stored_text import with_stored_text
from depthub.spec import DataSpec

if TYPE_CHECKING:
    from depthub.inference.classifier import Classifier
    from depthub.types import ClassSet


@dataclass(frozen=True)
class Reading:
    """How images are read; no number depends on it.

    Args:
        data_root: the folder of the data sets on this machine.
        workers: data-loading processes.
        cache: keep image features on disk, and use the stored ones.
    """

    data_root: Path | None = None
    workers: int = 0
    cache: bool = True


def rescore(classifier: Classifier, data: DataSpec | str, reading: Reading = Reading(), scored_by: ScoredBy = "head") -> Rescored:
    """Test a finished run on the test images of another data set.

    A class with the words of a class of the run is that class: a head reads it as in the run. All others are new classes to it.

    Args:
        classifier: of the run, see `depthub.load`.
        data: a data set that a plugin provides, `folder:PATH` or `list:FILE`; by its name alone, its pictures are decoded as the run's.
        reading: how images are read.
        scored_by: as in `rescore_jointly`.

    Raises:
        DepthubError: for a missing data set, classes that the method or head cannot name, and training images among the test images;
            before any image is read.
    """
    other = other_data(classifier, data, reading.data_root)
    classes = other.task.classes
    tuner = read_by(classifier.tuner, scored_by, classifier.stage.classes, classes)
    tasks = {other.spec.name: rescored(classifier, other.task, classes, reading, tuner)}
    notes = (*other.notes, _trained(classifier, classes))
    return Rescored(classifier.result.spec.run_id, other.spec, False, classes, tasks, notes=notes, scored_by=scored_by)


def rescore_jointly(classifier: Classifier, data: str = "", reading: Reading = Reading(), scored_by: ScoredBy = "head") -> Rescored:
    """Test a finished run on its own test images, each classified among the classes of all its test tasks together.

    The run's stored text features are used where prompts alone make them, and cached image features where there are some.

    Args:
        classifier: of the run, see `depthub.load`.
        data: the run's data set with its place, `folder:PATH` or `list:FILE`; empty for one that a plugin provides.
        reading: how images are read.
        scored_by: "head": all classes together, as the head itself decides, which for DePT is image-text matching alone as soon as one of
            them is new; "itm": every class as the head reads new ones; "rows": the trained classes as in the run, for DePT fused, and all
            others as new ones. Of a head that reads trained and new classes alike, all three are equal.

    Raises:
        DepthubError: if the data is not the run's, the tasks' classes are of several label spaces, or the method or head cannot name all
            of them at once; before any image is read.
    """
    own = own_tests(classifier, data, reading.data_root)
    trained = classifier.stage.classes
    tuner = read_by(with_stored_text(classifier, own.tasks, own.classes), scored_by, trained, own.classes)
    sides = {task.name: Sides(own.classes, trained) for task in own.tasks}
    tasks = {task.name: rescored(classifier, task, own.classes, reading, tuner, sides[task.name].add) for task in own.tasks}
    scores = own.protocol.scores({name: task.count for name, task in tasks.items()})
    spec = classifier.result.spec
    notes, traded = (_trained(classifier, own.classes),), trade_off_of(own.tasks, sides, trained)
    return Rescored(spec.run_id, spec.data, True, own.classes, tasks, scores, notes, scored_by, traded)


def _trained(classifier: Classifier, classes: ClassSet) -> str:
    trained = set(classifier.stage.classes.ids) & set(classes.ids)
    return f"{len(trained)} of the {len(classes)} classes are classes that the run was trained on"
