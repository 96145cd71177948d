"""Runs with tests after chosen epochs."""

from __future__ import annotations

from typing import Any

import pytest

import depthub
from depthub import Component, RunSpec
from depthub.records.store import RunResult
from depthub.running import stage_tests
from depthub.training.evaluation import evaluate
from tests.models import write_backbone, write_pictures
from tests.running.epochs import EPOCHS, RECIPE, with_epochs


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    """A run without these tests."""
    folder = tmp_path_factory.mktemp("small")
    data, backbone = write_pictures(folder / "colours"), write_backbone(folder / "model")
    return RunSpec(head=Component("DePT"), data=data, backbone=backbone, training=RECIPE, shots=4)


@pytest.fixture(scope="session")
def whole(plain: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """The same run with these tests, which nothing interrupted."""
    return depthub.run(with_epochs(plain, *EPOCHS), runs=tmp_path_factory.mktemp("whole"))


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the test tasks that are evaluated from now on."""
    names: list[str] = []

    def noting(*args: Any, task: str, **kwargs: Any) -> Any:
        names.append(task)
        return evaluate(*args, task=task, **kwargs)

    monkeypatch.setattr(stage_tests, "evaluate", noting)
    return names
