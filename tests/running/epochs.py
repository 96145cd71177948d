"""Runs with tests after chosen epochs, cut off and compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import depthub
from depthub import Component, RunSpec, Training
from depthub.records.entries import HISTORY
from depthub.records.store import RunResult, Store, document
from depthub.running.runner import resolve

RECIPE = Training(epochs=4, batch_size=4, lr=0.05)
EPOCHS = (1, 2, 4)
FILE = "tested-0.part"


def with_epochs(spec: RunSpec, *epochs: int) -> RunSpec:
    return replace(spec, protocol=Component("BaseToNew", {"epochs": list(epochs)}))


def cut(spec: RunSpec, runs: Path, after: int, **changes: Any) -> Path:
    """Do a run until it is killed after an epoch, before the tests of it; returns its folder."""

    def interrupt(epoch: int, _: float) -> None:
        if epoch == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        depthub.run(spec, runs=runs, on_epoch=interrupt, **changes)
    return Store(runs).path(resolve(spec))


def comparable(result: RunResult) -> dict[str, Any]:
    """A run's document without times and the size of its stack."""
    content = document(result)
    content["provenance"]["execution"].pop("stacked", None)
    return {key: value for key, value in content.items() if key not in ("cost", "sha256")}


def history(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / HISTORY).read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def same_predictions(one: RunResult, other: RunResult, tasks: list[str]) -> bool:
    parts = ("labels", "best", "scores", "true", "log_sum_exp")
    return all(
        np.array_equal(getattr(one.predictions[task], part), getattr(other.predictions[task], part)) for task in tasks for part in parts
    )
