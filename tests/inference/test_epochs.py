"""Tests after earlier epochs: what a finished run is used for has the parameters of the last, and does not pretend otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthub.errors import DepthubError
from depthub.inference.channels import channel_importance
from depthub.inference.export import export_classifier
from depthub.inference.rescoring import rescore_jointly
from depthub.spec import Component
from tests.finished import Finished, finish

EARLY = "base, epoch 1"


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Runs that were tested after their first epoch, too."""
    return finish(tmp_path_factory.mktemp("early"), protocol=Component("BaseToNew", {"epochs": [1]}))


@pytest.mark.parametrize("method", ["CoOp", "MaPLe"])
def test_other_counts_are_those_of_the_run_without_these_tests(method: str, early: Finished, finished: Finished) -> None:
    assert EARLY in early.results[method].counts
    ours, other = (rescore_jointly(runs.load(method), runs.data.name) for runs in (early, finished))
    assert list(ours.tasks) == ["base", "new"]
    assert {task: one.count for task, one in ours.tasks.items()} == {task: one.count for task, one in other.tasks.items()}
    assert ours.scores == other.scores
    assert (ours.trade_off is None, ours.trade_off) == (False, other.trade_off)


def test_channels_are_of_the_last_epoch(early: Finished) -> None:
    classifier = early.load("CoOp")
    assert list(channel_importance(classifier, data=early.data.name).tasks) == ["base", "new"]
    with pytest.raises(DepthubError, match="unknown test task 'base, epoch 1'"):
        channel_importance(classifier, [EARLY], data=early.data.name)


def test_a_task_of_an_earlier_epoch_is_refused_by_name(early: Finished, tmp_path: Path) -> None:
    classifier = early.load("CoOp")
    reason = (
        "^test task 'base, epoch 1' was tested after epoch 1, and the run keeps what it tuned until the last; expected one of base, new$"
    )
    picture = early.tested("CoOp", "base")[0]
    with pytest.raises(DepthubError, match=reason):
        classifier.classify(picture, task=EARLY)
    with pytest.raises(DepthubError, match=reason):
        classifier.text_features(task=EARLY)
    with pytest.raises(DepthubError, match=reason):
        export_classifier(classifier, tmp_path, task=EARLY)
    assert list(tmp_path.iterdir()) == []
    assert classifier.classify(picture, task="base").best(1)
