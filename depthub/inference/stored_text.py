"""The text features in a run's folder, in place of encoding the same sentences again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from depthub.errors import DepthubError
from depthub.inference.replay import with_texts
from depthub.method import Method, PromptMethod
from depthub.running import text_features

if TYPE_CHECKING:
    from depthub.inference.classifier import Classifier
    from depthub.protocol import Task
    from depthub.training.tuner import Tuner
    from depthub.types import ClassSet


def _prompts_only(method: Method) -> bool:
    """Whether a method's features are those of its prompts as they were encoded."""
    return isinstance(method, PromptMethod) and type(method).read is PromptMethod.read


def with_stored_text(classifier: Classifier, tasks: Sequence[Task], classes: ClassSet) -> Tuner:
    """The classifier's tuner, around the stored text features where the run stored all of them and prompts alone make them.

    Args:
        classifier: of the run.
        tasks: test tasks of the run.
        classes: the classes of these tasks together.

    Raises:
        DepthubError: if the file of the features is damaged, or not the run's.
    """
    result, method = classifier.result, classifier.tuner.method
    sha256, path = result.files.get(text_features.FILE), (result.folder or Path()) / text_features.FILE
    if sha256 is None or not path.is_file() or method.needs_image or not _prompts_only(method):
        return classifier.tuner
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise DepthubError(f"{path} is not the file that the run beside it was written with; delete it, or run it again")
    stored, _ = text_features.read(path)
    if not stored.keys() >= {task.name for task in tasks}:
        return classifier.tuner
    rows = {i: row for task in reversed(tasks) for i, row in zip(task.classes.ids, stored[task.name], strict=True)}
    text = torch.stack([rows[i] for i in classes.ids]).to(classifier.accelerator.device)
    return with_texts(classifier.tuner, [text])
