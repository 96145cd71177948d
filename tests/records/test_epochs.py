"""The epoch of a measurement in a run's document: there where a task has one, and within the training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from depthub.errors import DepthubError
from depthub.protocol import Count, Summary
from depthub.records.document import read_stored
from depthub.records.packed import pack, packed_runs
from depthub.records.store import RunResult, Store, document, read
from depthub.spec import Component
from tests.records.documents import RESULT, SPEC, put, refusal, signed

HARMONIC = {f"H{of}": (f"base{of}", f"new{of}") for of in ("", ", epoch 3")}
STAGE = replace(RESULT.stages[0], tests=("base", "new", "base, epoch 3", "new, epoch 3"))
EARLY = replace(
    RESULT,
    spec=replace(SPEC, protocol=Component("BaseToNew", {"epochs": [3]})),
    counts={**RESULT.counts, "base, epoch 3": Count(5, 5, ((2, 2, 2), (3, 3, 3))), "new, epoch 3": Count(1, 4)},
    scores={**RESULT.scores, "base, epoch 3": 100.0, "new, epoch 3": 25.0, "H, epoch 3": 40.0},
    summary=Summary("H", HARMONIC),
    tasks={**RESULT.tasks, **{f"{task}, epoch 3": replace(tested, epoch=3) for task, tested in RESULT.tasks.items()}},
    stages=(STAGE,),
)


def test_a_document_gives_the_epochs_back(tmp_path: Path) -> None:
    path = Store(tmp_path).save(EARLY)
    assert read(path) == EARLY
    assert [measured.get("epoch") for measured in json.loads(path.read_text())["measurements"]] == [None, None, 3, 3]


def test_a_task_after_the_last_epoch_is_written_as_ever() -> None:
    assert all("epoch" not in measured for measured in document(RESULT)["measurements"])
    keys = [list(measured) for measured in document(RESULT)["measurements"]]
    assert keys == [
        ["task", "metric", "n_correct", "n_total", "value", "per_class", "classes", "sentences", "images_sha256"],
        ["task", "metric", "n_correct", "n_total", "value", "classes", "sentences"],
    ]


def test_packed_runs_keep_the_epochs(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_bytes(pack([read_stored(Store(tmp_path / "runs").save(EARLY))]))
    (packed,) = packed_runs(tmp_path / "runs.jsonl")
    assert replace(packed.read().result, folder=EARLY.folder) == EARLY


@pytest.mark.parametrize(
    ("epoch", "reason"),
    [
        (11, "task 'base, epoch 3': tested after epoch 11 of a training of 10"),
        (0, "0 is less than the minimum of 1"),
        (1.5, "1.5 is not of type"),
        (None, "null is not of type"),
    ],
)
def test_an_epoch_that_cannot_be_is_refused(epoch: Any, reason: str, tmp_path: Path) -> None:
    fields = json.loads(Store(tmp_path).save(EARLY).read_text())
    put("measurements", 2, "epoch", to=epoch)(fields)
    path = tmp_path / "run.json"
    path.write_bytes(signed(fields))
    assert reason in refusal(path)


def test_scores_of_epochs_are_derived_again(tmp_path: Path) -> None:
    def refused(result: RunResult) -> str:
        with pytest.raises(DepthubError) as caught:
            Store(tmp_path).save(result)
        return str(caught.value)

    assert "but BaseToNew derives" in refused(
        replace(EARLY, scores={**EARLY.scores, "base, epoch 3": 90.0, "H, epoch 3": 39.130434782608695})
    )
    assert "H, epoch 3 is 41.0, but the harmonic mean" in refused(replace(EARLY, scores={**EARLY.scores, "H, epoch 3": 41.0}))
    assert "summary is not the one that BaseToNew declares" in refused(replace(EARLY, summary=Summary("H", {"H": ("base", "new")})))
