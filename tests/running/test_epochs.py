"""Tests after chosen epochs of one training: what is counted, together and alone, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import debug_launcher
from safetensors.torch import load_file

import depthub
from depthub import Component, DepthubError, RunSpec
from depthub.cli import main
from depthub.data.views import transform
from depthub.records.store import RunResult, Store
from depthub.registry.plugins import installed
from depthub.running.models import frozen, untrained
from depthub.running.resolving import Resolver
from depthub.running.runner import resolve
from tests.running.epochs import EPOCHS, FILE, comparable, cut, history, same_predictions, with_epochs
from tests.running.two_trainings import TwoTrainings


@pytest.fixture(scope="module")
def spec(plain: RunSpec) -> RunSpec:
    return with_epochs(plain, *EPOCHS)


def test_the_run_is_the_one_without_these_tests(plain: RunSpec, whole: RunResult, tmp_path: Path) -> None:
    without = depthub.run(plain, runs=tmp_path)
    assert without.folder
    assert whole.folder
    assert list(whole.counts) == ["base", "new", *(f"{half}, epoch {epoch}" for epoch in EPOCHS for half in ("base", "new"))]
    assert same_predictions(whole, without, ["base", "new"])
    assert {task: whole.counts[task] for task in without.counts} == without.counts
    assert {score: whole.scores[score] for score in without.scores} == without.scores
    assert (whole.headline, without.headline) == ("H", "H")
    tuned, other = (load_file(run.folder / "tuned-0.safetensors") for run in (whole, without) if run.folder)
    assert tuned.keys() == other.keys()
    assert all(torch.equal(tuned[name], other[name]) for name in tuned)
    assert history(whole.folder) == history(without.folder)
    assert sorted(path.name for path in whole.folder.iterdir()) == sorted(path.name for path in without.folder.iterdir())
    assert load_file(whole.folder / "classifier.safetensors").keys() == load_file(without.folder / "classifier.safetensors").keys()


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_epochs_counts_are_those_of_its_parameters(plain: RunSpec, whole: RunResult, epoch: int, tmp_path: Path) -> None:
    """The parameters come from another run, cut off after the epoch, and classify the pictures without the evaluation loop."""
    parameters = load_file(cut(plain, tmp_path, epoch) / "tuned-0.safetensors")
    resolved = Resolver()(plain)
    backbone = frozen(resolved.spec.backbone)
    tuner = untrained(resolved.spec, backbone, resolved.stages[0].train.classes, installed()).eval()
    with torch.no_grad():
        for name, parameter in tuner.tuned().items():
            parameter.copy_(parameters[name])
    pixels = transform(backbone.image_size, backbone.image_statistics, augment=False)
    for task in resolved.stages[0].tests:
        images = torch.stack([pixels(task.examples.read(name)) for name in task.examples.ids])
        with torch.no_grad():
            features = images if tuner.method.tunes_image else backbone.encode_image(images)
            scores = tuner(features, task.classes)
        predictions = whole.predictions[f"{task.name}, epoch {epoch}"]
        assert predictions.predicted.tolist() == scores.argmax(dim=1).tolist()
        np.testing.assert_allclose(predictions.scores[:, 0], scores.max(dim=1).values, rtol=1e-4)
        assert whole.tasks[f"{task.name}, epoch {epoch}"] == replace(whole.tasks[task.name], epoch=epoch)
    assert not same_predictions(replace(whole, predictions={"base": whole.predictions[f"base, epoch {epoch}"]}), whole, ["base"])


def test_a_stack_gives_the_counts_of_runs_alone(spec: RunSpec, plain: RunSpec, tmp_path: Path) -> None:
    specs = [spec, replace(spec, seed=2), replace(spec, head=Component("ITM")), plain]
    specs += [replace(spec, method=Component("ZeroShot"), head=Component("ITM")), replace(spec, method=Component("CoOp", {"n_ctx": 4}))]
    notes: list[str] = []
    together = depthub.run_many(specs, runs=tmp_path / "together", on_note=notes.append)
    alone = depthub.run_many(specs, runs=tmp_path / "alone", stack="off")
    assert [result.provenance["execution"].get("stacked") for result in together] == [3, 3, 3, None, None, None]
    assert [result.counts for result in together] == [result.counts for result in alone]
    assert [comparable(result) for result in together] == [comparable(result) for result in alone]
    assert notes == ["1 run of CoOp trained alone: no other run has the same classes, prompts and steps"]  # not once for every part
    untuned = together[4].counts
    assert {untuned[f"base, epoch {epoch}"] for epoch in EPOCHS} == {untuned["base"]}


def _run_in_processes(spec: RunSpec, folder: str) -> None:
    depthub.run_many([spec], runs=Path(folder))


def test_two_processes_give_the_counts_of_one(spec: RunSpec, whole: RunResult, tmp_path: Path) -> None:
    folder = cut(spec, tmp_path, 2)
    debug_launcher(_run_in_processes, (spec, str(tmp_path)), num_processes=2)
    (result,) = Store(tmp_path).results()
    assert result.counts == whole.counts
    assert not (folder / FILE).exists()


@pytest.fixture
def _two_trainings() -> Iterator[None]:
    depthub.register(TwoTrainings)
    yield
    installed.cache_clear()


@pytest.mark.usefixtures("_two_trainings")
@pytest.mark.parametrize("interrupted", [3, 5, 7])
def test_each_training_of_a_run_has_its_own_tests(plain: RunSpec, tested: list[str], interrupted: int, tmp_path: Path) -> None:
    spec = replace(plain, protocol=Component("TwoTrainings"))
    uncut = depthub.run(spec, runs=tmp_path / "whole")
    assert list(uncut.counts) == ["even", "even, first", "odd, third", "odd"]
    assert [task.epoch for task in uncut.tasks.values()] == [None, 1, 3, None]
    assert tested == ["even, first", "even", "odd, third", "odd"]
    tested.clear()
    epochs: list[int] = []

    def interrupt(epoch: int, _: float) -> None:
        epochs.append(epoch)
        if len(epochs) == interrupted:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        depthub.run(spec, runs=tmp_path, on_epoch=interrupt)
    result = depthub.run(spec, runs=tmp_path, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert epochs == [1, 2, 3, 4] * 2
    assert tested.count("even, first") == 1
    assert comparable(result) == comparable(uncut)
    assert result.folder
    assert not list(result.folder.glob("tested-*"))


@pytest.mark.usefixtures("_two_trainings")
@pytest.mark.parametrize("epoch", ["3", 0, 1.0])
def test_an_epoch_that_is_none_is_refused(plain: RunSpec, epoch: Any) -> None:
    with pytest.raises(DepthubError, match=f"protocol TwoTrainings: Task.epoch is {epoch!r}, expected an epoch from 1 on, or None"):
        resolve(replace(plain, protocol=Component("TwoTrainings", {"third": epoch})))


@pytest.mark.parametrize(
    ("epochs", "message"),
    [
        ([0], "BaseToNew: epochs has 0, expected at least 1"),
        ([2, -1], "BaseToNew: epochs has -1, expected at least 1"),
        ([1, 5], r"BaseToNew tests 'base, epoch 5' after epoch 5, but the training has epochs 1 to 4; .* raise training\.epochs"),
        ([1.5], r"BaseToNew: epochs is \[1\.5\], expected a list of int"),
        ([True], r"BaseToNew: epochs is \[True\], expected a list of int"),
        (3, "BaseToNew: epochs is 3, expected a list of int"),
    ],
)
def test_epochs_that_are_refused(plain: RunSpec, epochs: Any, message: str) -> None:
    with pytest.raises(DepthubError, match=message) as caught:
        resolve(replace(plain, protocol=Component("BaseToNew", {"epochs": epochs})))
    assert "\n" not in str(caught.value)


def test_equal_runs_have_equal_names(plain: RunSpec) -> None:
    assert resolve(with_epochs(plain)) == resolve(plain)
    assert resolve(with_epochs(plain)).protocol.settings == {}
    assert resolve(with_epochs(plain, 2, 1, 2)) == resolve(with_epochs(plain, 1, 2)) != resolve(plain)
    assert resolve(with_epochs(plain, 2, 1)).protocol.settings == {"epochs": [1, 2]}


def test_the_command_line(spec: RunSpec, tmp_path: Path) -> None:
    model = spec.backbone
    line = ["run", "--data", spec.data.name, "--backbone.model", model.model, "--backbone.pretrained", model.pretrained, "--shots", "1"]
    line += ["--training.epochs", "2", "--protocol", "BaseToNew", "--protocol.epochs", "[1,2]", "--runs", str(tmp_path)]
    assert main(line) == 0
    (result,) = Store(tmp_path).results()
    assert result.spec.protocol.settings == {"epochs": [1, 2]}
    assert [tested.epoch for tested in result.tasks.values()] == [None, None, 1, 1, 2, 2]
    assert result.scores["H, epoch 2"] == result.scores["H"]
