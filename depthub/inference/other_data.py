"""The test images of a data set that a finished run does not know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from depthub.boundary import check_data
from depthub.data.own.by_name import SCHEMES
from depthub.data.views import drafted
from depthub.errors import DepthubError
from depthub.protocol import Task
from depthub.registry.plugins import installed
from depthub.running.data_names import data_set_of
from depthub.running.text_files import TextFiles
from depthub.spec import DataSpec, RunSpec

if TYPE_CHECKING:
    from pathlib import Path

    from depthub.data.dataset import Examples
    from depthub.inference.classifier import Classifier


@dataclass(frozen=True)
class OtherData:
    """A data set's test images.

    Args:
        spec: of the data set, with its digest and without its place.
        task: the images, with the classes in the run's label space.
        notes: remarks of the data set on itself.
    """

    spec: DataSpec
    task: Task
    notes: tuple[str, ...]


def is_own(data: DataSpec) -> bool:
    """Whether a data set is a user's folder or list of pictures, which has another place on each machine."""
    return data.name.startswith(tuple(SCHEMES))


def other_data(classifier: Classifier, data: DataSpec | str, data_root: Path | None) -> OtherData:
    """Load a data set for a run's classifier.

    Args:
        classifier: of the run.
        data: the data set; by its name alone, its pictures are read as the run's.
        data_root: the folder of the data sets on this machine.

    Raises:
        DepthubError: if it is not there, its classes cannot be named or have no texts in a run with texts, or its test images are
            training images of the run.
    """
    spec = data if isinstance(data, DataSpec) else _read_alike(data, classifier.result.spec.data)
    data_set = data_set_of(spec, installed())
    loaded = data_set.load(data_root)
    check_data(loaded, spec.name)
    named = loaded.classes
    if (texts := classifier.result.spec.texts) and (file := TextFiles(installed()).load(texts)).has(named):
        named = file.of(named)
    classes = classifier.recognised(named, f"data set {spec.name!r}", loaded.homonyms)
    spec = RunSpec(data=replace(spec, sha256=data_set.digest(data_root))).without_places().data
    test = loaded.named(spec.name).test
    _require_unseen(classifier, test, spec.name)
    if spec.decoding == "draft":
        test = drafted(test, classifier.tuner.backbone.image_size)
    return OtherData(spec, Task(spec.name, test, classes), loaded.notes)


def _read_alike(name: str, trained_on: DataSpec) -> DataSpec:
    """A data set read as the run's own was, as far as it can be."""
    spec = DataSpec(name, decoding=trained_on.decoding)
    return replace(spec, background=trained_on.background, template=trained_on.template) if is_own(spec) else spec


def _require_unseen(classifier: Classifier, test: Examples, name: str) -> None:
    """Refuse training images of the run among the test images."""
    for sample in classifier.result.samples:
        both = set(sample.ids) & set(test.ids) if sample.data == name else ()
        if both:
            raise DepthubError(
                f"{len(both)} images that the run was trained on are among the test images of {name!r}, {min(both)!r} for example; "
                "divide them as the run did, or rename the folder if it holds other pictures"
            )
