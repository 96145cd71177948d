"""One test task through a finished run's classifier."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from depthub.data.fewshot import fingerprint
from depthub.data.views import Views, transform
from depthub.encoding.image_features import ImageFeatures
from depthub.inference.rescored import RescoredTask
from depthub.system.activity import tell
from depthub.system.disk_cache import Cache
from depthub.training.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from depthub.data.dataset import Examples
    from depthub.inference.classifier import Classifier
    from depthub.inference.rescoring import Reading
    from depthub.protocol import Task
    from depthub.training.tuner import Tuner
    from depthub.types import ClassSet

    OnLogits = Callable[[Tensor, Tensor], None]


def rescored(
    classifier: Classifier, task: Task, classes: ClassSet, reading: Reading, tuner: Tuner, on_logits: OnLogits | None = None
) -> RescoredTask:
    """Predictions for a task's images.

    Args:
        classifier: of the run.
        task: the images, with labels among the task's own classes.
        classes: the classes to tell apart; the task's are among them.
        reading: how images are read.
        tuner: the classifier's, or one in its place.
        on_logits: see `evaluate`.
    """
    rows = task.classes.rows_in(classes)
    assert rows is not None, "the classes are made of the task's"
    examples = replace(task.examples, labels=tuple(rows[label] for label in task.examples.labels))
    images = images_of(classifier, examples, reading)
    workers = workers_of(classifier, reading)
    on_progress = partial(tell, f"testing {task.name}")
    predictions = evaluate(
        tuner, images, classes, classifier.accelerator, workers, task=task.name, on_progress=on_progress, on_logits=on_logits
    )
    return RescoredTask(predictions, fingerprint(task.examples.ids, task.examples.labels))


def workers_of(classifier: Classifier, reading: Reading) -> int:
    """Processes that read the method's images: features are in memory."""
    return reading.workers if classifier.tuner.method.tunes_image else 0


def images_of(classifier: Classifier, examples: Examples, reading: Reading) -> Any:
    """Labelled images as a classifier's method takes them: features, or pixels where it tunes the image side.

    Args:
        classifier: of the run.
        examples: N images.
        reading: how they are read.
    """
    backbone = classifier.tuner.backbone
    if classifier.tuner.method.tunes_image:
        return Views(examples, transform(backbone.image_size, backbone.image_statistics, augment=False))
    features = ImageFeatures(backbone, classifier.weights, Cache.here() if reading.cache else None)
    return features.of(examples, reading.workers, partial(tell, "encoding images"))
