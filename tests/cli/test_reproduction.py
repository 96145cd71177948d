"""`depthub run --from RUN` and `depthub.reproduce`: a finished run again, with what differs, and its counts beside the recorded ones."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

import depthub
from depthub import Component, RunResult, RunSpec, Training
from depthub.cli import main
from depthub.registry.plugins import installed
from tests.models import write_backbone, write_pictures


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A finished run of a user's own pictures and model."""
    folder = tmp_path_factory.mktemp("small")
    spec = RunSpec(
        method=Component("KgCoOp"),
        head=Component("DePT"),
        data=write_pictures(folder / "colours"),
        backbone=write_backbone(folder / "model"),
        training=Training(epochs=2, batch_size=4),
        shots=2,
    )
    return depthub.run(spec, runs=folder / "runs")


def places(original: RunResult) -> list[str]:
    assert original.folder
    folder = original.folder.parents[1]
    model = folder / "model/tiny_clip"
    weights = ["--backbone.model", f"{model}.json", "--backbone.pretrained", f"{model}.safetensors"]
    return ["--from", str(original.folder), "--data", f"folder:{folder / 'colours'}", *weights]


def test_a_run_again_has_equal_counts_and_says_so(
    original: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", *places(original)]) == 0
    output = capsys.readouterr().out.splitlines()
    assert output[:2] == [
        f"run {original.spec.run_id[:12]} again: folder:colours, seed 1",
        "differs: nothing: code, data, weights and versions are those of the recorded run",
    ]
    base = original.counts["base"]
    assert f"base {base.n_correct}/{base.n_total} {base.n_correct}/{base.n_total} +0" in [" ".join(line.split()) for line in output]
    assert output[-2:] == ["all counts agree", f"reproduced/{original.spec.run_id}/run.json"]
    (again,) = depthub.results(tmp_path / "reproduced")
    assert again.spec == original.spec.without_places()


def test_a_result_of_this_session_knows_its_places(original: RunResult, tmp_path: Path) -> None:
    again = depthub.reproduce(original, runs=tmp_path)
    assert (again.differences, again.agrees) == ((), True)
    assert again.counts == {task: (count, count) for task, count in original.counts.items()}


def test_other_versions_are_listed(original: RunResult, tmp_path: Path) -> None:
    """As of a result of another machine."""
    provenance = deepcopy(dict(original.provenance))
    provenance["inputs"]["packages"]["torch"] = "1.9.0"
    old = depthub.Store(tmp_path / "old").save(replace(original, provenance=provenance, predictions={}, files={}))
    _, _, _, data, _, model, _, pretrained = places(original)
    again = depthub.reproduce(old, data=data, backbone=depthub.BackboneSpec(model, pretrained), runs=tmp_path / "new")
    (difference,) = again.differences
    assert difference.startswith("packages.torch was 1.9.0, is ")
    assert again.agrees


def test_other_counts_are_no_success(
    original: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stored result that claims one more correct image of the base classes than the run gives."""
    count = original.counts["base"]
    claimed = {**original.counts, "base": depthub.Count(count.n_correct - 1, count.n_total)}
    scores = installed().get("protocols", "BaseToNew")().scores(claimed)
    claim = replace(original, counts=claimed, scores=scores, predictions={}, files={})
    stored = depthub.Store(tmp_path / "claims").save(claim)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--from", str(stored), *places(original)[2:]]) == 1
    output = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f"base {count.n_correct - 1}/{count.n_total} {count.n_correct}/{count.n_total} +1" in output
    assert "counts differ" in output


def test_the_command_is_recorded_without_folders(original: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", *places(original)]) == 0
    (again,) = depthub.results(tmp_path / "reproduced")
    words = ["depthub", "run", "--from", original.spec.run_id, "--data", "folder:colours"]
    words += ["--backbone.model", "tiny_clip.json", "--backbone.pretrained", "tiny_clip.safetensors"]
    assert again.provenance["execution"]["command"] == words
    assert "command" not in original.provenance["execution"]  # a run of a script


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--shots", "4"], "--from repeats exactly the recorded run, and --shots would change it; leave --shots out"),
        (["--head", "DePT"], "--from repeats exactly the recorded run, and --head would change it; leave --head out"),
        (["--runs", "RUNS"], "RUNS holds the recorded run itself; choose another folder for the new one with runs (--runs)"),
        (["--data", "folder:OTHER"], "the files of data are not those of the spec: sha256 "),
        ([], "no folder"),
    ],
)
def test_another_run_is_refused(
    words: list[str], says: str, original: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert original.folder
    write_pictures(tmp_path / "other", train=4)
    names = {"RUNS": str(original.folder.parent), "folder:OTHER": f"folder:{tmp_path / 'other'}"}
    command = places(original)
    if words[:1] == ["--data"]:
        command = [*command[:2], *command[4:]]
    if not words:
        command = [*command[:2], *command[4:]]
    assert main(["run", *command, *(names.get(word, word) for word in words)]) == 2
    assert says.replace("RUNS", names["RUNS"]) in capsys.readouterr().err
    assert not (tmp_path / "reproduced").exists()
