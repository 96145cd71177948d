"""Predictions beside a run: complete, and the ones that its counts come from."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from depthub.errors import DepthubError
from depthub.protocol import Count
from depthub.records import document as document_of, predictions
from depthub.records.store import RunResult, Store, read
from tests.records.documents import (
    COUNTED,
    KEPT,
    SPEC,
    refusal,
    save_counted,
    signed,
)


def test_predictions_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    path = save_counted(tmp_path)
    result = read(path)
    assert {task: of_task.count() for task, of_task in result.predictions.items()} == result.counts
    (path.parent / document_of.PREDICTIONS).unlink()
    assert read(path, recount=False) == result
    (lazy,) = Store(tmp_path).scan(recount=False)
    assert isinstance(lazy, RunResult)
    with pytest.raises(DepthubError, match=r"predictions\.safetensors: it is not there"):
        _ = lazy.predictions["base"]
    assert "predictions.safetensors" in refusal(path)


def test_counts_that_the_predictions_do_not_give_are_refused(tmp_path: Path) -> None:
    """All sums and digests are right; the images behind them are not."""
    better = replace(
        COUNTED,
        counts={"base": Count(5, 5, ((2, 2, 2), (3, 3, 3))), "new": Count(3, 3, ((2, 2, 2), (1, 1, 1)))},
        scores={"base": 100.0, "new": 100.0, "H": 100.0},
    )
    path = save_counted(tmp_path, better)
    assert "task 'base' has 5 of 5 correct, but its predictions 3 of 5" in refusal(path)


def test_predictions_of_another_run_are_refused(tmp_path: Path) -> None:
    paths = [save_counted(tmp_path, replace(COUNTED, spec=replace(SPEC, seed=seed))) for seed in (1, 2)]
    read(paths[0])
    swapped = predictions.dumps({task: replace(of_task, log_sum_exp=of_task.log_sum_exp + 1) for task, of_task in KEPT.items()})
    (paths[0].parent / document_of.PREDICTIONS).write_bytes(swapped)
    assert "is not the file that the run beside it was written with" in refusal(paths[0])


@pytest.mark.parametrize("kind", ["pipe", "huge"])
def test_predictions_that_are_no_file_are_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = save_counted(tmp_path)
    file = path.parent / document_of.PREDICTIONS
    if kind == "huge":
        os.truncate(file, 2**40)
    else:
        file.unlink()
        os.mkfifo(file)
    assert "cannot read" in refusal(path)


def _arrays(content: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    length = int.from_bytes(content[:8], "little")
    return load(content), json.loads(content[8 : 8 + length])["__metadata__"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base/labels", np.uint16(1)),
        ("base/labels", np.zeros((5, 2), np.uint16)),
        ("base/labels", np.zeros(5, np.float32)),
        ("base/labels", np.full(5, 2, np.uint16)),
        ("base/labels", np.zeros(0, np.uint16)),
        ("base/best", np.zeros((5, 2), np.uint16)),  # one class twice
        ("base/scores", np.array([[1.0, 2.0]] * 5, np.float32)),  # the best is not the first
        ("base/scores", np.full((5, 2), np.nan, np.float32)),
        ("base/log_sum_exp", np.full(5, -9.0, np.float32)),  # probabilities above 1
        ("base/true", np.full(5, 9.0, np.float32)),  # not the score that stands among the best
        ("base/true", None),
        ("base", "1000000000000"),
        ("base", "three"),
        ("base", "-2"),
        ("base", "3"),
        ("other", "2"),
        ("new", None),
    ],
    ids=str,
)
def test_predictions_that_cannot_be_are_refused(name: str, value: Any, tmp_path: Path) -> None:
    """With the digests of the file and of the document computed again."""
    path = save_counted(tmp_path)
    file = path.parent / document_of.PREDICTIONS
    arrays, metadata = _arrays(file.read_bytes())
    classes = json.loads(metadata["classes"])
    part: dict[str, Any] = arrays if "/" in name else classes
    part.pop(name, None)
    part.update({} if value is None else {name: value})
    content = save({key: np.asarray(array) for key, array in arrays.items()}, {"classes": json.dumps(classes)})
    file.write_bytes(content)
    fields = json.loads(path.read_text())
    fields["files"] = {file.name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
    path.write_bytes(signed(fields))
    assert "predictions.safetensors" in refusal(path)
