"""Tests after chosen epochs: what is kept of them when a run is cut off, and when it is not used."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

import depthub
from depthub import RunSpec
from depthub.cli import main
from depthub.records.entries import HISTORY
from depthub.records.store import RunResult, Store
from depthub.running.runner import resolve
from tests.running.epochs import EPOCHS, FILE, comparable, cut, history, same_predictions, with_epochs


@pytest.fixture(scope="module")
def spec(plain: RunSpec) -> RunSpec:
    return with_epochs(plain, *EPOCHS)


@pytest.mark.parametrize(
    ("after", "kept", "repeated"),
    [
        (1, [], ["base, epoch 1", "new, epoch 1", "base, epoch 2", "new, epoch 2"]),
        (2, [1], ["base, epoch 2", "new, epoch 2"]),  # the parameters of epoch 2 are there
        (3, [1, 2], []),
    ],
)
def test_a_killed_run_goes_on_with_its_tests(
    spec: RunSpec, whole: RunResult, tested: list[str], after: int, kept: list[int], repeated: list[str], tmp_path: Path
) -> None:
    folder = cut(spec, tmp_path, after)
    assert sorted(path.name for path in folder.iterdir()) == sorted([HISTORY, "tuned-0.safetensors", *([FILE] if kept else [])])
    assert tested == [f"{half}, epoch {epoch}" for epoch in kept for half in ("base", "new")]
    tested.clear()
    epochs: list[int] = []
    result = depthub.run(spec, runs=tmp_path, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert epochs == list(range(after + 1, 5))
    assert tested == [*repeated, "base, epoch 4", "new, epoch 4", "base", "new"]
    assert comparable(result) == comparable(whole)
    assert same_predictions(result, whole, list(whole.counts))
    assert result.cost["resumed"] == 1
    assert result.folder
    assert history(result.folder) == history(whole.folder or Path())
    assert not (folder / FILE).exists()


def test_a_killed_stack_goes_on_with_its_tests(spec: RunSpec, tmp_path: Path) -> None:
    specs = [spec, replace(spec, seed=2)]
    calls: list[int] = []

    def interrupt(epoch: int, _: float) -> None:
        calls.append(epoch)
        if len(calls) == 5:  # the first run has done three epochs, the second two
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        depthub.run_many(specs, runs=tmp_path, on_epoch=interrupt)
    epochs: list[int] = []
    results = depthub.run_many(specs, runs=tmp_path, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert sorted(epochs) == [3, 4, 4]
    assert [result.counts for result in results] == [result.counts for result in depthub.run_many(specs, runs=tmp_path / "whole")]


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


def _of_other_code(path: Path) -> None:
    """A file as whole as ours, of a run with other code."""
    header, body = path.read_bytes().split(b"\n", 1)[1].split(b"\n", 1)
    fields = json.loads(header)
    fields["inputs"]["code"] = {}
    content = json.dumps(fields).encode() + b"\n" + body
    path.write_bytes(sha256(content).hexdigest().encode() + b"\n" + content)


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        _flipped,
        _of_other_code,
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff\n{}\n"),
    ],
)
def test_without_the_earlier_tests_the_training_starts_anew(
    spec: RunSpec, whole: RunResult, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    damage(cut(spec, tmp_path, 3) / FILE)
    epochs: list[int] = []
    notes: list[str] = []
    result = depthub.run(spec, runs=tmp_path, on_epoch=lambda epoch, _: epochs.append(epoch), on_note=notes.append)
    assert epochs == [1, 2, 3, 4]
    assert notes == ["training starts from scratch, not from tuned-0.safetensors: the tests after epoch 1 are missing or damaged"]
    assert comparable(result) == comparable(whole)
    assert "resumed" not in result.cost


def test_a_damaged_file_does_no_harm_where_the_parameters_are(spec: RunSpec, whole: RunResult, tmp_path: Path) -> None:
    folder = cut(spec, tmp_path, 1)
    (folder / FILE).write_bytes(b"torn")
    epochs: list[int] = []
    assert depthub.run(spec, runs=tmp_path, on_epoch=lambda epoch, _: epochs.append(epoch)).counts == whole.counts
    assert epochs == [2, 3, 4]


@pytest.mark.parametrize("checkpoint", ["none", "of the first epoch"])
def test_tests_of_later_epochs_than_the_checkpoints_are_carried_out_again(
    spec: RunSpec, tested: list[str], checkpoint: str, tmp_path: Path
) -> None:
    """They are of another training: this one has not been there."""
    first = (cut(spec, tmp_path / "first", 1) / "tuned-0.safetensors").read_bytes()
    folder = cut(spec, tmp_path / "runs", 3)
    (folder / "tuned-0.safetensors").unlink()
    if checkpoint != "none":
        (folder / "tuned-0.safetensors").write_bytes(first)
    tested.clear()
    depthub.run(spec, runs=tmp_path / "runs")
    expected = ["base, epoch 2", "new, epoch 2", "base, epoch 4", "new, epoch 4", "base", "new"]
    assert tested == [*(["base, epoch 1", "new, epoch 1"] if checkpoint == "none" else []), *expected]


def test_stale_tests_are_gone_before_a_training_starts_anew(spec: RunSpec, tmp_path: Path) -> None:
    folder = cut(spec, tmp_path, 3)
    (folder / "tuned-0.safetensors").unlink()
    late = with_epochs(spec, 3)
    cut(spec, tmp_path, 1)
    assert not (folder / FILE).exists()
    assert not (cut(late, tmp_path, 2) / FILE).exists()


def test_force_begins_anew(spec: RunSpec, whole: RunResult, tested: list[str], tmp_path: Path) -> None:
    cut(spec, tmp_path, 3)
    tested.clear()
    epochs: list[int] = []
    result = depthub.run(spec, runs=tmp_path, force=True, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert epochs == [1, 2, 3, 4]
    assert tested[:2] == ["base, epoch 1", "new, epoch 1"]
    assert len(tested) == 8
    assert result.counts == whole.counts
    assert "resumed" not in result.cost


def test_gc_knows_the_file(spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = cut(spec, tmp_path, 3)
    content = (folder / FILE).read_bytes()
    assert main(["runs", "gc", str(tmp_path)]) == 0
    assert (folder / FILE).exists()  # the run needs it
    depthub.run(spec, runs=tmp_path)
    files = sorted(folder.iterdir())
    (folder / FILE).write_bytes(content)  # as if killed between the result and the removal
    capsys.readouterr()
    assert main(["runs", "gc", str(tmp_path), "--dry_run"]) == 0
    assert "tests of a training that has ended since" in capsys.readouterr().out
    assert main(["runs", "gc", str(tmp_path)]) == 0
    assert sorted(folder.iterdir()) == files
    alone = Store(tmp_path / "other").path(resolve(spec))
    alone.mkdir(parents=True)
    (alone / FILE).write_bytes(content)
    assert main(["runs", "gc", str(tmp_path / "other"), "--unfinished"]) == 0
    assert not alone.exists()


def test_costs_are_counted_once(spec: RunSpec, tmp_path: Path) -> None:
    folder = cut(spec, tmp_path, 3)
    header = json.loads((folder / FILE).read_bytes().split(b"\n")[1])
    seconds = [of_epoch["seconds"] for of_epoch in header["epochs"].values()]
    result = depthub.run(spec, runs=tmp_path)
    lines = [json.loads(line) for line in (folder / HISTORY).read_text().splitlines()]
    trained = sum(line["seconds"] for line in lines)
    assert 0 < result.cost["train_s"] <= trained + 0.01  # without the views that are encoded meanwhile
    assert result.cost["eval_s"] > sum(part["eval_s"] for part in seconds) > 0
