"""Checks of a protocol's stages and scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from depthub.boundary.data import check_classes, check_examples
from depthub.boundary.fields import check_fields
from depthub.boundary.owner import brief, origin, owner_name, refuse
from depthub.data.dataset import Data
from depthub.errors import DepthubError
from depthub.protocol import Protocol, Stage, Task
from depthub.registry.foreign import place, shown


def check_stages(stages: Sequence[Stage], data: Mapping[str, Data], protocol: str, provider: object = None) -> None:
    """Check a protocol's stages.

    Args:
        stages: the value of `Protocol.stages`.
        data: the data sets by name.
        protocol: name of the protocol.
        provider: the protocol itself, for messages.

    Raises:
        DepthubError: if there is nothing to train or test, two test tasks have the same name, a task has no images or wrong labels,
            training images are among the test images, or a field has another type.
    """
    where, call = f"protocol {protocol}{origin(type(provider))}", getattr(type(provider), "stages", None)
    if not isinstance(stages, list | tuple):
        refuse(where, call, f"stages() gives {brief(stages)}", "a list of Stage")
    if not stages or not all(isinstance(stage, Stage) and stage.tests for stage in stages):
        raise DepthubError(f"{where} makes no test task of this data set{place(call)}")
    homonyms = [word for loaded in data.values() for word in loaded.homonyms]
    for stage in stages:
        check_fields(stage, where)
        for what, task in (("training", stage.train), *(("test", task) for task in stage.tests)):
            check_fields(task, where)
            _check_task(task, f"{what} task {task.name!r} of {where}", homonyms)
        for task in stage.tests:
            _check_apart(stage.train, task)
    twice = [name for name, n in Counter(task.name for stage in stages for task in stage.tests).items() if n > 1]
    if twice:
        raise DepthubError(f"{where} has two test tasks named {twice[0]!r}")


def check_scores(scores: Any, protocol: Protocol) -> None:
    """Check the scores of a run.

    Args:
        scores: the value of `Protocol.scores`.
        protocol: the protocol.

    Raises:
        DepthubError: if there is no score, or one is not a number of 0 to 100.
    """
    owner, call = owner_name("protocol", protocol), type(protocol).scores
    if not isinstance(scores, Mapping) or not scores or not all(isinstance(name, str) and name for name in scores):
        refuse(owner, call, f"scores() gives {shown(scores)}", "a dict with at least one score in percent, by name")
    for name, value in scores.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 100:
            refuse(owner, call, f"scores() gives {shown(value)} as {name!r}", "a number of 0 to 100, in percent")


def _check_task(task: Task, where: str, homonyms: Sequence[str]) -> None:
    check_classes(task.classes, where, homonyms)
    if not len(task.examples):
        raise DepthubError(f"{where} has no images; the data set needs some of {', '.join(task.classes.names[:3])} ... for it")
    check_examples(task.examples, task.classes, where)


def _check_apart(train: Task, test: Task) -> None:
    if train.examples.source != test.examples.source:
        return
    both = set(train.examples.ids) & set(test.examples.ids)
    if both:
        raise DepthubError(f"{len(both)} training images are among the test images of task {test.name!r}, {min(both)!r} for example")
