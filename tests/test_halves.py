"""Protocols of two halves: tests after chosen epochs, and the oracle that trains on both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, harmonic_mean
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import depthub
from depthub import Component, Count, DataSpec, DepthubError, Features, Protocol, RunSpec, Stage, Summary, Training
from depthub.boards import board, markdown
from depthub.records.store import RunResult, read
from depthub.registry.plugins import installed
from depthub.suites import grid
from tests.models import write_backbone, write_pictures
from tests.test_protocols import FIVE, SOURCE, count, protocol

ORACLE = ("base", "new", "base of all", "new of all")


def stage_of(instance: Protocol) -> Stage:
    (stage,) = instance.stages(SOURCE, lambda name: SOURCE, 2, 1)
    return stage


def test_epochs_are_tests_of_the_same_training() -> None:
    stage, plain = stage_of(protocol("BaseToNew", epochs=[3, 1, 3])), stage_of(protocol("BaseToNew"))
    assert stage.train == plain.train
    assert stage.tests[:2] == plain.tests
    named = [(task.name, task.epoch) for task in stage.tests[2:]]
    assert named == [("base, epoch 1", 1), ("new, epoch 1", 1), ("base, epoch 3", 3), ("new, epoch 3", 3)]
    assert [replace(task, name="", epoch=None) for task in stage.tests[2:]] == [
        replace(task, name="") for task in (*plain.tests, *plain.tests)
    ]


def test_scores_of_epochs() -> None:
    instance = protocol("BaseToNew", epochs=[1, 3])
    final = {"base": count(3, 4), "new": count(1, 4)}
    early = {"base, epoch 1": count(1, 4), "new, epoch 1": count(0, 4), "base, epoch 3": count(2, 4), "new, epoch 3": count(2, 4)}
    scores = instance.scores(final | early)
    assert list(scores)[:3] == ["base", "new", "H"]
    assert scores == {
        **{"base": 75.0, "new": 25.0, "H": 37.5},
        **{"base, epoch 1": 25.0, "new, epoch 1": 0.0, "H, epoch 1": 0.0},
        **{"base, epoch 3": 50.0, "new, epoch 3": 50.0, "H, epoch 3": 50.0},
    }
    harmonic = {f"H{of}": (f"base{of}", f"new{of}") for of in ("", ", epoch 1", ", epoch 3")}
    assert instance.summary(scores) == Summary("H", harmonic)
    assert instance.summary(instance.scores(final)) == Summary("H", {"H": ("base", "new")})  # the same training, tested on otherwise
    with pytest.raises(KeyError):
        instance.scores(final | {"base, epoch 1": count(1, 4), "new, epoch 1": count(0, 4)})  # of one epoch alone


@pytest.mark.parametrize("cut", ["published", 2])
def test_the_oracle_trains_on_all_and_tests_each_half_twice(cut: Any) -> None:
    stage, halved = stage_of(protocol("Oracle", cut=cut)), stage_of(protocol("BaseToNew", cut=cut))
    assert (stage.train.name, stage.train.classes, stage.train.examples) == ("all", FIVE, stage.sample)
    assert stage.sample == halved.sample
    assert tuple(task.name for task in stage.tests) == ORACLE
    assert stage.tests[:2] == halved.tests  # images and classes of BaseToNew
    for restricted, of_all in zip(stage.tests[:2], stage.tests[2:], strict=True):
        assert of_all.examples.ids == restricted.examples.ids
        assert of_all.classes == FIVE
        assert [FIVE.ids[label] for label in of_all.examples.labels] == [restricted.classes.ids[i] for i in restricted.examples.labels]


def test_the_oracle_leaves_out_classes_without_training_images() -> None:
    rows = [row for row, label in enumerate(SOURCE.train.labels) if label != 1]
    (stage,) = protocol("Oracle").stages(replace(SOURCE, train=SOURCE.train.take(rows)), lambda name: SOURCE, 2, 1)
    assert stage.train.classes.ids == (0, 2, 3, 4)
    assert [task.classes.ids for task in stage.tests] == [(0, 2), (3, 4), (0, 2, 3, 4), (0, 2, 3, 4)]
    assert [set(task.examples.labels) for task in stage.tests] == [{0, 1}, {0, 1}, {0, 1}, {2, 3}]


def test_scores_of_the_oracle() -> None:
    instance = protocol("Oracle")
    scores = instance.scores({"base": count(9, 10), "new": count(6, 10), "base of all": count(8, 10), "new of all": count(2, 10)})
    assert list(scores) == ["base", "new", "H", "base of all", "new of all", "H of all"]
    assert [round(value, 6) for value in scores.values()] == [90.0, 60.0, 72.0, 80.0, 20.0, 32.0]
    assert instance.summary(scores) == Summary("H", {"H": ("base", "new"), "H of all": ("base of all", "new of all")})


@pytest.mark.parametrize("name", ["BaseToNew", "Oracle"])
def test_what_cannot_be_halved_is_refused_in_its_protocols_name(name: str) -> None:
    with pytest.raises(DepthubError, match=f"^{name}: cut is -1, expected published, or the seed of a shuffle, at least 0$"):
        protocol(name, cut=-1)
    one = SOURCE.train.take([row for row, label in enumerate(SOURCE.train.labels) if label == 0])
    with pytest.raises(DepthubError, match=f"^{name} needs at least 2 classes, the data set has 1$"):
        protocol(name).stages(replace(SOURCE, train=one), lambda name: SOURCE, 1, 1)


def test_dept_reads_its_rows_of_each_half_of_the_oracle() -> None:
    torch.manual_seed(0)
    stage = stage_of(protocol("Oracle"))
    head = installed().get("heads", "DePT")(8, stage.train.classes, balance=0.7)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    image, text, cat = torch.randn(6, 8), torch.randn(5, 8), head.cat
    every = (image * cat.image.gamma + cat.image.beta) @ cat.classifier.weight.T + cat.classifier.bias
    matching = 3.0 * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    for task, rows in zip(stage.tests, ([0, 1, 2], [3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]), strict=True):
        logits = head(Features(image, text[rows], torch.tensor(3.0), task.classes))
        torch.testing.assert_close(logits, (0.7 * every + 0.3 * matching)[:, rows])


def _result(component: Component, data: str, percents: Sequence[float]) -> RunResult:
    """A run with these accuracies, in the order of the protocol's tasks."""
    instance = protocol(component.name, **component.settings)
    counts = {task.name: Count(round(percent), 100) for task, percent in zip(stage_of(instance).tests, percents, strict=True)}
    scores = instance.scores(counts)
    spec = RunSpec(protocol=component, data=DataSpec(data), training=Training())
    return RunResult(spec, counts, scores, cost={"params_trainable": 2048}, summary=instance.summary(scores))


@pytest.mark.parametrize(
    ("component", "of"),
    [(Component("BaseToNew", {"epochs": [2, 5]}), (", epoch 2", ", epoch 5")), (Component("Oracle"), (" of all",))],
    ids=["epochs", "oracle"],
)
def test_a_board_averages_every_h_from_its_parts(component: Component, of: tuple[str, ...]) -> None:
    percents = {"a": [90, 60, 80, 20, 70, 40], "b": [50, 70, 30, 90, 10, 60]}
    endings = ("", *of)
    number = 2 * len(endings)
    document = board([_result(component, data, of_data[:number]) for data, of_data in percents.items()])
    (row,) = document["rows"]
    assert document["settings"][0]["headline"] == "H"
    for place, ending in enumerate(endings):
        base, new = (fmean(of_data[2 * place + half] for of_data in percents.values()) for half in (0, 1))
        assert row["average"][f"base{ending}"]["mean"] == base
        assert row["average"][f"H{ending}"]["mean"] == pytest.approx(harmonic_mean([base, new]), abs=1e-4)
        assert f"H{ending}" in markdown(document)


def test_several_lists_of_epochs_are_several_runs() -> None:
    stated = {"name": "BaseToNew", "epochs": [[1, 2], [5]]}
    assert [one.settings["epochs"] for one in grid.components(stated, "protocols", installed(), "rows")] == [[1, 2], [5]]
    (one,) = grid.components({**stated, "epochs": [1, 2]}, "protocols", installed(), "rows")
    assert one.settings["epochs"] == [1, 2]


@pytest.mark.parametrize("head", ["ITM", "DePT"])
def test_a_run_of_the_oracle(head: str, tmp_path: Path) -> None:
    spec = RunSpec(
        head=Component(head),
        protocol=Component("Oracle"),
        data=write_pictures(tmp_path / "colours"),
        backbone=write_backbone(tmp_path / "model"),
        training=Training(epochs=3, batch_size=4, lr=0.05, augmentation="none"),
        shots=3,
    )
    result = depthub.run(spec, runs=tmp_path / "runs")
    assert result.folder
    assert read(result.folder) == replace(result, spec=result.spec.without_places())
    assert {task: len(tested.classes) for task, tested in result.tasks.items()} == dict(zip(ORACLE, (3, 2, 5, 5), strict=True))
    assert [result.counts[task].n_total for task in ORACLE] == [15, 10, 15, 10]
    for half in ("base", "new"):  # the same scores, among fewer classes: an image that is right among all is right among some
        assert result.counts[half].n_correct >= result.counts[f"{half} of all"].n_correct
    assert list(result.samples[0].ids) == list(
        depthub.run(replace(spec, protocol=Component("BaseToNew")), runs=tmp_path / "runs").samples[0].ids
    )
