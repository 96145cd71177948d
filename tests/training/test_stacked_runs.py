"""Whole runs that train together: their files and results are those of runs alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import depthub
from depthub import BackboneSpec, Component, DepthubError, RunSpec, Training
from depthub.cli import main
from depthub.records.store import RunResult, Store, document
from tests.models import write_backbone, write_pictures


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> list[RunSpec]:
    folder = tmp_path_factory.mktemp("small")
    recipe = Training(epochs=2, batch_size=4, augmentation="none")
    first = RunSpec(data=write_pictures(folder / "colours"), backbone=write_backbone(folder / "model"), training=recipe, shots=4)
    return [
        first,
        replace(first, method=Component("VisualPrompts")),
        replace(first, head=Component("DePT", {"balance": 0.2}), seed=2),
        replace(first, method=Component("ZeroShot")),
        replace(first, head=Component("DePT", {"cat": Component("ImageOnlyCAT")}), training=replace(recipe, lr=0.1)),
        replace(first, method=Component("VisualPrompts"), seed=2),
    ]


def test_run_files_are_those_of_solitary_runs(specs: list[RunSpec], tmp_path: Path) -> None:
    done: list[int] = []
    notes: list[str] = []
    epochs: list[int] = []
    together = depthub.run_many(
        specs,
        runs=tmp_path / "together",
        on_done=lambda i, r, _: done.append(i),
        on_epoch=lambda epoch, _: epochs.append(epoch),
        on_note=notes.append,
    )
    apart = depthub.run_many(specs, runs=tmp_path / "alone", stack="off")
    assert [r.spec for r in together] == [r.spec for r in apart]
    assert done == [0, 2, 4, 1, 5, 3]  # the runs of a stack follow its first one
    assert notes == ["2 runs of VisualPrompts trained alone: its prompts change the image features"]
    assert sorted(epochs) == sorted([1, 2] * 5)
    assert [r.provenance["execution"].get("stacked") for r in together] == [3, None, 3, None, 3, None]
    for one, other in zip(together, apart, strict=True):
        assert comparable(one) == comparable(other)
        files = [sorted(p.name for p in Store(tmp_path / where).path(one.spec).iterdir()) for where in ("together", "alone")]
        assert files[0] == files[1]
    assert all(r.cost["train_s"] > 0 for r in together if r.cost["params_trainable"])


def comparable(result: RunResult) -> dict[str, Any]:
    """A run's document without the parts that a stack may change."""
    content = document(result)
    content["provenance"]["execution"].pop("stacked", None)
    return {key: value for key, value in content.items() if key not in ("cost", "sha256")}


def test_the_embedded_models_counts_do_not_depend_on_company(tmp_path: Path) -> None:
    recipe = Training(epochs=1, batch_size=8)
    stacked = [RunSpec(head=Component(head), shots=2, seed=seed, training=recipe) for head in ("ITM", "DePT") for seed in (1, 2)]
    together = depthub.run_many(stacked, runs=tmp_path / "together", stack=4)
    apart = depthub.run_many(stacked, runs=tmp_path / "alone", stack="off")
    assert [r.counts for r in together] == [r.counts for r in apart]
    assert {r.provenance["execution"].get("stacked") for r in together} == {4}


def test_an_interrupted_stack_is_resumed(specs: list[RunSpec], tmp_path: Path) -> None:
    stacked = [specs[0], specs[2], specs[4]]
    calls: list[int] = []

    def interrupt(epoch: int, _: float) -> None:
        calls.append(epoch)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        depthub.run_many(stacked, runs=tmp_path, on_epoch=interrupt)
    assert not list(tmp_path.glob("*/run.json"))
    epochs: list[int] = []
    results = depthub.run_many(stacked, runs=tmp_path, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert sorted(epochs) == [1, 2, 2, 2]
    assert [r.counts for r in results] == [r.counts for r in depthub.run_many(stacked, runs=tmp_path / "whole", stack="off")]


def test_a_diverging_run_fails_alone(specs: list[RunSpec], tmp_path: Path) -> None:
    assert specs[0].training
    overflowing = Component("DePT", {"cat": Component("CAT", {"lr_scale": 1e39})})
    wild = replace(specs[0], head=overflowing, training=replace(specs[0].training, warmup_epochs=0))
    outcomes: dict[int, RunResult | Exception] = {}
    with pytest.raises(DepthubError, match="the run diverged"):
        depthub.run_many([specs[0], wild, specs[2]], runs=tmp_path, on_done=lambda i, r, _: outcomes.update({i: r}))
    assert isinstance(outcomes[1], DepthubError)
    assert [isinstance(outcomes[i], RunResult) for i in (0, 2)] == [True, True]


def test_a_faulty_run_is_refused_before_the_others_train(specs: list[RunSpec], tmp_path: Path) -> None:
    outcomes: dict[int, RunResult | Exception] = {}
    faulty = replace(specs[0], head=Component("CAT"))  # cannot score new classes
    with pytest.raises(DepthubError, match="wrap it in DePT"):
        depthub.run_many([specs[0], faulty, specs[2]], runs=tmp_path, on_done=lambda i, r, _: outcomes.update({i: r}))
    assert sorted(outcomes) == [0, 1, 2]
    assert len(list(tmp_path.glob("*/run.json"))) == 2


def test_a_size_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match="stack is 0, expected auto, off or at least 1"):
        depthub.run_many([RunSpec(backbone=BackboneSpec())], runs=tmp_path, stack=0)


def test_the_command_line_says_why_runs_train_alone(specs: list[RunSpec], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, model = specs[0].data.name, specs[0].backbone
    line = ["run", "--data", data, "--backbone.model", model.model, "--backbone.pretrained", model.pretrained, "--method", "VisualPrompts"]
    line += ["--seeds", "1", "2", "--shots", "2", "--training.epochs", "1", "--runs", str(tmp_path)]
    assert main([*line, "--stack", "4"]) == 0
    assert "depthub: 2 runs of VisualPrompts trained alone: its prompts change the image features\n" in capsys.readouterr().err
    assert main([*line, "--stack", "0", "--force"]) == 2
    assert "--stack: got '0', expected" in capsys.readouterr().err
