"""Counts by class, confusions and other metrics of a finished run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import depthub
from depthub.errors import DepthubError
from depthub.protocol import Count
from depthub.records.document import read
from depthub.records.result import RunResult
from depthub.spec import RunSpec
from depthub.types import ClassSet
from tests.finished import KINDS, TASKS, Finished


@pytest.mark.parametrize("method", KINDS)
def test_counts_by_class_and_confusions_add_up(method: str, finished: Finished) -> None:
    result = read(finished.folder(method))
    for task in TASKS:
        rows, confusion, count = result.per_class(task), result.confusion(task), result.counts[task]
        assert [row["class"] for row in rows] == list(result.tasks[task].classes.names)
        for row in rows:
            guesses = confusion[row["class"]]
            assert sum(guesses.values()) == row["n_total"]
            assert guesses.get(row["class"], 0) == row["n_correct"]
            assert sum(other.get(row["class"], 0) for other in confusion.values()) == row["n_predicted"]
        assert sum(row["n_correct"] for row in rows) == count.n_correct
    with pytest.raises(DepthubError, match="unknown task 'bass'; did you mean 'base'"):
        result.per_class("bass")


@pytest.mark.parametrize("method", KINDS)
def test_other_metrics_follow_from_what_was_kept(method: str, finished: Finished) -> None:
    """Top-k and the likelihood of the true class, against those of the full scores."""
    classifier, result = finished.load(method), read(finished.folder(method))
    for task in TASKS:
        predictions = result.predictions[task]
        classified = classifier.classify(finished.tested(method, task), task=task)
        labels = torch.from_numpy(predictions.labels.astype(np.int64))
        order = classified.scores.sort(dim=1, descending=True, stable=True).indices
        for k in range(1, predictions.best.shape[1] + 1):
            assert predictions.top(k) == int((order[:, :k] == labels[:, None]).any(dim=1).sum())
        likelihood = -classified.probabilities.gather(1, labels[:, None])[:, 0].log()
        torch.testing.assert_close(torch.from_numpy(predictions.negative_log_likelihood()).float(), likelihood, rtol=1e-4, atol=1e-4)
        assert predictions.count() == result.counts[task]
        with pytest.raises(DepthubError, match="top-6 is not in these predictions"):
            predictions.top(6)


def test_classes_of_one_name_are_kept_apart() -> None:
    classes = ClassSet("birds and machines", (0, 1), ("crane", "crane"))
    labels, ones = np.array([0, 1], np.int32), np.ones(2, np.float32)
    predictions = depthub.Predictions(labels, labels[:, None], ones[:, None], ones, ones, 2)
    result = RunResult(
        RunSpec(), {"all": Count(2, 2, ((1, 1, 1),) * 2)}, {}, tasks={"all": depthub.TestedTask(classes)}, predictions={"all": predictions}
    )
    assert result.confusion("all") == {"crane": {"crane": 1}, "crane (2)": {"crane (2)": 1}}
