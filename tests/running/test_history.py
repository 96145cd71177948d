"""The history of a run: one line an epoch, also after an interruption, and also for runs that train together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import depthub
from depthub import Component, DepthubError, RunSpec, Training
from depthub.errors import DivergedError
from depthub.records.entries import HISTORY, entries
from depthub.training.history import History
from depthub.training.schedule import learning_rate
from tests.models import write_backbone, write_pictures

RECIPE = Training(epochs=4, batch_size=4)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    folder = tmp_path_factory.mktemp("small")
    return RunSpec(
        head=Component("DePT"),
        data=write_pictures(folder / "colours"),
        backbone=write_backbone(folder / "model"),
        training=RECIPE,
        shots=2,
    )


def history(runs: Path, spec: RunSpec) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (runs / spec.run_id / HISTORY).read_text().splitlines()]


def without_seconds(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def test_every_epoch_has_its_line(spec: RunSpec, tmp_path: Path) -> None:
    losses: list[float] = []
    result = depthub.run(spec, runs=tmp_path, on_epoch=lambda _, loss: losses.append(loss))
    lines = history(tmp_path, result.spec)
    assert [(line["stage"], line["epoch"]) for line in lines] == [(0, epoch) for epoch in range(1, 5)]
    assert [line["loss"] for line in lines] == losses
    rates = [learning_rate(RECIPE.lr, epoch, RECIPE) for epoch in range(4)]
    assert [line["rates"]["method"] for line in lines] == rates
    assert [line["rates"]["head"] for line in lines[1:]] == pytest.approx([6.5 * rate for rate in rates[1:]])  # DePT's own factor
    assert all(line["seconds"] > 0 for line in lines)
    assert HISTORY not in result.files
    assert entries(tmp_path / result.spec.run_id) == []  # it is no packed file


def test_an_interruption_leaves_no_line_twice_and_none_out(spec: RunSpec, tmp_path: Path) -> None:
    whole = depthub.run(spec, runs=tmp_path / "whole")

    def interrupt(epoch: int, _: float) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        depthub.run(spec, runs=tmp_path / "cut", on_epoch=interrupt)
    file = tmp_path / "cut" / whole.spec.run_id / HISTORY
    with file.open("a") as torn:  # killed between an epoch's line and its checkpoint, and in the middle of a line
        torn.write('{"stage": 0, "epoch": 3, "loss": 9.0, "rates": {}, "seconds": 1.0}\n{"stage": 0, "epo')
    depthub.run(spec, runs=tmp_path / "cut")
    expected = without_seconds(history(tmp_path / "whole", whole.spec))
    assert without_seconds(history(tmp_path / "cut", whole.spec)) == expected
    depthub.run(spec, runs=tmp_path / "cut", force=True)
    assert without_seconds(history(tmp_path / "cut", whole.spec)) == expected
    assert not list((tmp_path / "cut").rglob("earlier-*"))  # the same counts


def test_a_training_leaves_the_lines_of_the_others(tmp_path: Path) -> None:
    stages = [History(tmp_path, number) for number in (0, 1)]
    for stage in stages:
        for epoch in (1, 2):
            stage.add(epoch, 0.5, {"method": 0.1}, 1.0)
    stages[0].resume(2)  # the run goes on in its second training
    stages[1].resume(1)
    lines = [json.loads(line) for line in (tmp_path / HISTORY).read_text().splitlines()]
    assert [(line["stage"], line["epoch"]) for line in lines] == [(0, 1), (0, 2), (1, 1)]


def test_runs_that_train_together_have_a_history_each(spec: RunSpec, tmp_path: Path) -> None:
    specs = [spec, replace(spec, seed=2), replace(spec, head=Component("ITM"))]
    together = depthub.run_many(specs, runs=tmp_path / "together")
    assert [result.provenance["execution"]["stacked"] for result in together] == [3] * 3
    for result in depthub.run_many(specs, runs=tmp_path / "alone", stack="off"):
        one, other = (history(tmp_path / place, result.spec) for place in ("together", "alone"))
        assert [line["loss"] for line in one] == pytest.approx([line["loss"] for line in other], rel=1e-5)
        assert [(line["epoch"], line["rates"]) for line in one] == [(line["epoch"], line["rates"]) for line in other]


def test_the_history_goes_with_an_earlier_result(spec: RunSpec, tmp_path: Path) -> None:
    result = depthub.run(spec, runs=tmp_path)
    aside = depthub.Store(tmp_path).set_aside(result.spec)
    assert aside
    assert len((aside / HISTORY).read_text().splitlines()) == 4
    assert not (aside.parent / HISTORY).exists()


def test_a_divergence_names_its_epoch(spec: RunSpec, tmp_path: Path) -> None:
    wild = Component("DePT", {"cat": Component("CAT", {"lr_scale": 1e39})})
    with pytest.raises(DepthubError, match=r"the loss is nan in epoch \d: the run diverged; lower training\.lr") as caught:
        depthub.run(replace(spec, head=wild), runs=tmp_path)
    assert isinstance(caught.value, DivergedError)
    assert f" in epoch {caught.value.epoch}: " in str(caught.value)
