"""Channel importance of finished runs: their own test images and classes in the method's space, without training anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import normalize

from depthub.boards.labels import row_label
from depthub.data.class_names import words
from depthub.data.loader import loader, on_device
from depthub.errors import DepthubError, UnknownNameError
from depthub.inference.channel_importance import Contrast, check_window, importance
from depthub.inference.classifier import Classifier
from depthub.inference.loading import load
from depthub.inference.own_tests import own_tasks
from depthub.inference.rescored_task import images_of, workers_of
from depthub.inference.rescoring import Reading
from depthub.inference.stored_text import with_stored_text
from depthub.system.activity import tell

if TYPE_CHECKING:
    from pathlib import Path

    from depthub.protocol import Task
    from depthub.records.result import RunResult
    from depthub.statistics.table import Array

BATCH = 100  # images at a time, as in a test


@dataclass(frozen=True, eq=False)
class TaskChannels:
    """The importance of each channel to one test task.

    Args:
        values: (d,) float64, no unit; 1 is average: a channel that tells no class apart.
        images: number N.
        class_names: of the M classes to tell apart.
    """

    values: Array
    images: int
    class_names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ChannelImportance:
    """The importance of each channel to the test tasks of a run.

    Args:
        run_id: of the run.
        label: its method, and its head unless it is the default one.
        window: number of neighbouring channels that count together.
        tasks: by the name of the test task.
        scores: of the run, in percent, of all its test images.
        headline: the one of them that ranks.
    """

    run_id: str
    label: str
    window: int
    tasks: Mapping[str, TaskChannels]
    scores: Mapping[str, float]
    headline: str

    def contrast(self, one: str, other: str) -> Contrast:
        """The same channels in two test tasks.

        Raises:
            UnknownNameError: if there is no such task.
        """
        for task in (one, other):
            if task not in self.tasks:
                raise UnknownNameError("test task", task, self.tasks)
        return Contrast.of(self.tasks[one].values, self.tasks[other].values)

    def as_dict(self) -> dict[str, Any]:
        """Plain data fit for JSON; scores in percent."""
        return {
            "run_id": self.run_id,
            "label": self.label,
            "window": self.window,
            "scores": {name: float(value) for name, value in self.scores.items()},
            "tasks": {
                name: {"n_images": task.images, "classes": list(task.class_names), "importance": task.values.tolist()}
                for name, task in self.tasks.items()
            },
        }


def channel_importance(
    run: Classifier | RunResult | Path | str,
    tasks: Sequence[str] = (),
    *,
    window: int = 1,
    class_names: Sequence[str] = (),
    data: str = "",
    reading: Reading | None = None,
) -> ChannelImportance:
    """How much each channel of the joint space helps the test images of a run to find their class; Equation 3 of
    https://arxiv.org/abs/2309.07439.

        CI_r = mean over images j of  s_{j,y_j} / (mean over classes i of s_{j,i} + 1e-12)
        s_{j,i} = max(0, sum over channels q = r ... r + window - 1 of image_{j,q} * text_{i,q})

    Features of images and classes are the method's own, each L2-normalised over all channels, in float64; where texts depend on the image,
    each image has its own. No head reads them: for DePT this is the original space, before its channel-wise transformations, as in the
    published script. Only the classes of the task count. The run's stored text features and cached image features are used where there are
    some.

    Args:
        run: a classifier from `depthub.load`, a result, or the run's folder.
        tasks: names of test tasks of the run's training; by default all.
        window: neighbouring channels that count together, circular: 1 as in the paper, 64 as in the published script, whose figures
            have 16, 32 or 128.
        class_names: leaves the other classes and their images out, and tasks that have no image of these classes.
        data: the run's data set with its place, `folder:PATH` or `list:FILE`; empty for one that a plugin provides.
        reading: how images are read.

    Raises:
        DepthubError: for an unknown task or class, a window of no or too many channels, or data other than the run's, before any image is
            read; for features that are not finite.
    """
    classifier, reading = run if isinstance(run, Classifier) else load(run), reading or Reading()
    check_window(window, classifier.tuner.backbone.dim)
    tested = classifier.stage.tests
    _check_names("test task", tasks, tested, str)
    whole = [task for task in own_tasks(classifier, data, reading.data_root)[0] if task.name in (tasks or tested)]
    _check_names("class of these test tasks", class_names, [name for task in whole for name in task.classes.names], words)
    parts = {task.name: part for task in whole if (part := _part(task, class_names)).examples.ids}
    of_tasks = {task.name: _of_task(classifier, task, parts[task.name], window, reading) for task in whole if task.name in parts}
    result = classifier.result
    return ChannelImportance(result.spec.run_id, row_label(result.spec.as_dict()), window, of_tasks, result.scores, result.headline)


def _check_names(kind: str, chosen: Sequence[str], names: Sequence[str], spelt: Callable[[str], str]) -> None:
    """Refuse what is no list of names, and names that nothing has.

    Args:
        kind: of the things with the names.
        chosen: by the user.
        names: that exist.
        spelt: what counts of a name.
    """
    if isinstance(chosen, str):
        raise DepthubError(f"{chosen!r:.80} in place of a list of names; expected [{chosen!r:.80}]")
    existing = {spelt(name) for name in names}
    for name in chosen:
        if spelt(name) not in existing:
            raise UnknownNameError(kind, name, names)


def _part(task: Task, class_names: Sequence[str]) -> Task:
    """The task with these classes alone; all of it without names."""
    chosen = {words(name) for name in class_names}
    rows = [row for row, name in enumerate(task.classes.names) if not chosen or words(name) in chosen]
    return replace(task, examples=task.examples.restricted_to(rows), classes=task.classes.take(rows))


@torch.no_grad()
def _of_task(classifier: Classifier, task: Task, part: Task, window: int, reading: Reading) -> TaskChannels:
    """The importance of all channels to a part of a task's classes."""
    tuner = with_stored_text(classifier, [task], part.classes).eval()
    images = images_of(classifier, part.examples, reading)
    device = classifier.accelerator.device
    total, done = np.zeros(tuner.backbone.dim), 0
    for inputs, labels in on_device(loader(images, device, workers_of(classifier, reading), batch_size=BATCH), device):
        with classifier.accelerator.autocast():
            features = tuner.features(inputs, part.classes)
        image, text = (normalize(side.double(), dim=-1).cpu().numpy() for side in (features.image, features.text))
        total += len(labels) * importance(image, text, labels.cpu().numpy(), window)
        done += len(labels)
        tell(f"channels of {task.name}", done, len(part.examples))
    if not np.isfinite(total).all():
        raise DepthubError(f"test task {task.name!r}: features are not finite; their channels have no importance")
    return TaskChannels(total / done, done, part.classes.names)
