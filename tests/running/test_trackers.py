"""Trackers: what TensorBoard shows of runs, and what happens to runs whose tracker is missing or fails."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import depthub
from depthub import Component, DepthubError, RunSpec, Training
from depthub.cli import main
from depthub.records.entries import HISTORY
from tests.models import write_backbone, write_pictures


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    folder = tmp_path_factory.mktemp("small")
    recipe = Training(epochs=3, batch_size=4)
    data, backbone = write_pictures(folder / "colours"), write_backbone(folder / "model")
    return RunSpec(head=Component("DePT"), data=data, backbone=backbone, training=recipe, shots=2)


def shown(runs: Path, run_id: str) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of everything that TensorBoard shows of a run, by name."""
    events = EventAccumulator(str(runs / "tensorboard" / run_id)).Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def in_history(runs: Path, run_id: str) -> dict[str, list[tuple[int, float]]]:
    lines = [json.loads(line) for line in (runs / run_id / HISTORY).read_text().splitlines()]
    columns = {"loss": [line["loss"] for line in lines]}
    columns |= {f"rate/{part}": [line["rates"][part] for line in lines] for part in ("method", "head")}
    return {name: [(epoch, pytest.approx(value)) for epoch, value in enumerate(values, 1)] for name, values in columns.items()}


def test_tensorboard_shows_every_epoch_and_the_scores(spec: RunSpec, tmp_path: Path) -> None:
    specs = [spec, replace(spec, seed=2)]
    for result in depthub.run_many(specs, runs=tmp_path, tracker="tensorboard"):
        assert result.provenance["execution"]["stacked"] == 2
        scores = {f"score/{name}": [(3, pytest.approx(score))] for name, score in result.scores.items()}
        run_id = result.spec.run_id
        assert shown(tmp_path, run_id) == in_history(tmp_path, run_id) | scores
        assert result.folder
        assert {path.name for path in result.folder.iterdir()} == {"run.json", HISTORY, *result.files}
    assert len(depthub.results(tmp_path)) == 2


def test_a_resumed_run_and_one_done_again_show_each_epoch_once(spec: RunSpec, tmp_path: Path) -> None:
    def interrupt(epoch: int, _: float) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        depthub.run(spec, runs=tmp_path, tracker="tensorboard", on_epoch=interrupt)
    run_id = depthub.run(spec, runs=tmp_path, tracker="tensorboard").spec.run_id
    first = shown(tmp_path, run_id)
    assert first["loss"] == in_history(tmp_path, run_id)["loss"]
    depthub.run(spec, runs=tmp_path, tracker="tensorboard", force=True)
    assert shown(tmp_path, run_id) == first


def test_a_run_without_training_shows_its_scores(spec: RunSpec, tmp_path: Path) -> None:
    zero_shot = replace(spec, method=Component("ZeroShot"), head=Component("ITM"))
    result = depthub.run(zero_shot, runs=tmp_path, tracker="tensorboard")
    assert shown(tmp_path, result.spec.run_id).keys() == {f"score/{name}" for name in result.scores}


def test_a_tracker_that_fails_is_noted_and_the_run_goes_on(spec: RunSpec, tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("a file where a folder should be")
    notes: list[str] = []
    result = depthub.run(spec, runs=tmp_path, tracker="tensorboard", on_note=notes.append)
    assert result.counts
    (note,) = notes
    assert note.startswith("tensorboard fails (")
    assert note.endswith(f"); run {result.spec.run_id[:12]} goes on without it")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tensorbord", "tracker is 'tensorbord', expected one of tensorboard, trackio, wandb; did you mean 'tensorboard'?"),
        ("wandb", "tracker is wandb, which is not installed; python -m pip install wandb"),
    ],
)
def test_a_tracker_that_is_not_there_is_refused_before_the_run(
    name: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--shots", "1", "--tracker", name]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"depthub: error: {says}"
    assert not (tmp_path / "runs").exists()
    with pytest.raises(DepthubError, match=says.partition(",")[0]):
        depthub.RunOptions(tracker=name)
