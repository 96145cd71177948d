"""Packed runs: the same runs and the same bytes again, every check of a run's folder, and harmless whatever a file holds."""

from __future__ import annotations

import base64
import bz2
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings as examples, strategies as st

import depthub
from depthub.boards.packing import pack_runs
from depthub.errors import DepthubError
from depthub.records import class_indices, schema
from depthub.records.document import dumps
from depthub.records.entries import entries
from depthub.records.packed_predictions import top1_sha256
from depthub.records.result import RunResult
from depthub.records.store import Store
from tests.records.documents import COUNTED, KEPT, RESULT, SPEC, put, save_counted, signed

Lines = list[dict[str, Any]]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs with predictions in folders, and one without."""
    for seed in (1, 2, 3):
        save_counted(tmp_path / "runs", replace(COUNTED, spec=replace(SPEC, seed=seed)))
    Store(tmp_path / "runs").save(replace(RESULT, spec=replace(SPEC, seed=4)))
    return tmp_path / "runs"


@pytest.fixture
def packed(runs: Path, tmp_path: Path) -> Path:
    """The same runs in a packed file."""
    (file,) = pack_runs(runs, tmp_path / "packed")
    return file


def lines(file: Path) -> Lines:
    return [json.loads(line) for line in file.read_text().splitlines()]


def rewrite(file: Path, content: Lines) -> Path:
    file.write_text("".join(f"{json.dumps(line)}\n" for line in content))
    return file


def shared(values: Any) -> str:
    return base64.b64encode(bz2.compress(json.dumps(values).encode())).decode()


def faults(file: Path, recount: bool = True) -> list[str]:
    """The errors of reading the file, each in one line."""
    errors = [str(outcome) for outcome in Store(file).scan(recount=recount) if isinstance(outcome, DepthubError)]
    assert all("\n" not in error for error in errors)
    return errors


def test_packed_runs_are_the_runs(runs: Path, packed: Path) -> None:
    assert packed.name == "CoOp.jsonl"
    for place in (packed, packed.parent):
        stored = {run.spec.run_id: run for run in Store(place).results()}
        assert list(stored.values()) == list(Store(runs).results())
        assert list(depthub.results(place)) == list(depthub.results(runs))
    for entry in entries(packed):
        run = entry.read()
        assert dumps(run.document) == (runs / entry.run_id / "run.json").read_bytes()
        for task, of_task in run.result.predictions.items():
            assert np.array_equal(of_task.predicted, KEPT[task].predicted)
            assert np.array_equal(of_task.labels, KEPT[task].labels)
            assert np.array_equal(of_task.confusion(), KEPT[task].confusion())


def test_the_same_runs_give_the_same_bytes(packed: Path, tmp_path: Path) -> None:
    (again,) = pack_runs(packed.parent, tmp_path / "again")
    assert again.read_bytes() == packed.read_bytes()
    pack_runs(packed, packed.parent)  # onto itself
    assert again.read_bytes() == packed.read_bytes()


def test_scores_of_single_images_are_not_in_packed_runs(packed: Path) -> None:
    run = next(run for run in depthub.results(packed) if run.predictions)
    assert run.predictions["base"].top(1) == run.counts["base"].n_correct
    for compute in (lambda of_task: of_task.top(2), depthub.Predictions.probabilities, depthub.Predictions.negative_log_likelihood):
        with pytest.raises(DepthubError, match="cannot be computed from a packed run, which has the best class alone"):
            compute(run.predictions["base"])
    assert run.folder is None


def test_a_packed_run_is_found_by_its_id(packed: Path) -> None:
    run_id = replace(SPEC, seed=2).run_id
    assert Store(packed.parent).named(run_id[:10]).spec.run_id == run_id


def test_new_runs_do_not_go_among_packed_ones(packed: Path) -> None:
    with pytest.raises(DepthubError, match=r"holds packed runs \(.*\.jsonl\), which are only read; choose another folder"):
        Store(packed.parent).require_writable()


def test_packing_leaves_no_run_twice(runs: Path, packed: Path) -> None:
    with pytest.raises(DepthubError, match="which would stay beside the packed runs"):
        pack_runs(runs, runs)
    packed.rename(packed.with_name("Other.jsonl"))
    with pytest.raises(DepthubError, match=r"holds Other\.jsonl, which would stay beside the packed runs"):
        pack_runs(runs, packed.parent)


def test_a_damaged_line_is_named_and_the_others_are_read(packed: Path) -> None:
    content = packed.read_bytes().splitlines(keepends=True)
    content[2] = content[2][:100] + b"\n"
    packed.write_bytes(b"".join(content))
    (fault,) = faults(packed)
    assert f"{packed}, line 3: not JSON" in fault
    assert sum(isinstance(outcome, RunResult) for outcome in Store(packed.parent).scan()) == 3
    packed.write_bytes(packed.read_bytes()[:-10])
    assert f"{packed}, line 5: " in faults(packed)[1]


def edit_predictions(line: dict[str, Any]) -> None:
    text = line["top1"]["predicted"]["base"]
    line["top1"]["predicted"]["base"] = ("A" if text[0] != "A" else "Q") + text[1:]


def move_predictions(line: dict[str, Any]) -> None:
    """The predictions of all images moved by one, with the digest computed again."""
    line["top1"]["predicted"]["base"] = class_indices.pack(np.roll(KEPT["base"].predicted, 1), 2)
    labels = {task: of_task.labels.tolist() for task, of_task in KEPT.items()}
    line["top1"]["sha256"] = top1_sha256(line["top1"]["predicted"], labels)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (put("measurements", 0, "n_correct", to=4), "value is 60.0, but 4 of 5"),
        (put("cost", "params_trainable", to=7), "sha256 is not the digest of the content"),
        (put("schema_version", to="2.0.0"), "schema_version"),
        (put("samples", to=99), "refers to shared value '99', there are"),
        (put("samples", to=-1), "refers to shared value '-1'"),
        (put("samples", to=True), "refers to shared value 'True'"),
        (put("samples", to="all"), "refers to shared value 'all'"),
        (put("provenance", to=1), "provenance"),
        (put("spec", to=[]), "spec"),
        (put("measurements", to=3), "measurements"),
        (put("kind", to="leaderboard"), "not a run document"),
        (put("top1", "labels", "base", to=99), "refers to shared value '99'"),
        (put("top1", "labels", "base", to=0), "sha256 is not the digest of predictions and labels"),
        (put("top1", "labels", to={}), "predictions are not of the tasks base, new"),
        (put("top1", "kind", to="top5"), "not a top1 document"),
        (put("top1", "more", to=1), "more"),
        (put("top1", to=[]), "not a top1 document"),
        (edit_predictions, "sha256 is not the digest of predictions and labels"),
        (move_predictions, "task 'base' has 3 of 5 correct, but its predictions"),
    ],
)
def test_an_edited_line_is_refused(edit: Callable[[dict[str, Any]], None], reason: str, packed: Path) -> None:
    content = lines(packed)
    place = next(place for place, line in enumerate(content) if "top1" in line)
    edit(content[place])
    (fault,) = faults(rewrite(packed, content))
    assert f"{packed}, line {place + 1}" in fault
    assert reason in fault


def test_better_counts_with_right_digests_are_refused(packed: Path) -> None:
    content = lines(packed)
    run = next(entry.read() for entry in entries(packed) if entry.read().result.predictions)
    document = json.loads(dumps(run.document))
    document["measurements"][0] |= {"n_correct": 5, "value": 100.0, "per_class": [[2, 2, 2], [3, 3, 3]]}
    document["scores"] = {"base": 100.0, "new": 100 / 3, "H": 50.0}
    better = json.loads(signed(document))
    place = next(place for place, line in enumerate(content) if line.get("run_id") == document["run_id"])
    content[place] |= {key: better[key] for key in ("measurements", "scores", "sha256")}
    for measured, before in zip(content[place]["measurements"], lines(packed)[place]["measurements"], strict=True):
        measured["sentences"] = before["sentences"]
    assert "task 'base' has 5 of 5 correct, but its predictions 3 of 5" in faults(rewrite(packed, content))[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema_version": "2.0.0"}, "schema_version"),
        ({"kind": "run"}, "not a packed document"),
        ({"more": 1}, "more"),
        ({"shared": "????"}, "cannot be decompressed"),
        ({"shared": base64.b64encode(b"BZh9 nothing").decode()}, "cannot be decompressed"),
        ({"shared": shared([1])[:-8]}, "shared values are cut off"),
        ({"shared": shared({"a": 1})}, "shared values are not a list"),
        ({"shared": shared("[" * 80 + "]" * 80)}, "shared values are not a list"),
        ({"shared": base64.b64encode(bz2.compress(b"[" * 80 + b"]" * 80)).decode()}, "nested too deeply"),
        ({"shared": base64.b64encode(bz2.compress(b" " * (schema.LARGEST + 2))).decode()}, "shared values are cut off, or larger than"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_damaged_first_line_is_refused(change: dict[str, Any], reason: str, packed: Path) -> None:
    """A bomb included: 47 bytes a megabyte, of which no more than the largest document is ever in memory."""
    header, *rest = lines(packed)
    (fault,) = faults(rewrite(packed, [header | change, *rest]))
    assert f"{packed}, line 1" in fault
    assert reason in fault


def test_lines_that_stand_for_too_much_are_refused(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("depthub.records.shared_values.MOST", 1000)
    assert any("the file stands for more than 1000 bytes of JSON" in fault for fault in faults(packed))


def test_huge_counts_cost_nothing(packed: Path) -> None:
    content = lines(packed)
    run = next(entry.read() for entry in entries(packed) if entry.read().result.predictions)
    document = json.loads(dumps(run.document))
    images = 2**52
    document["measurements"][0] |= {"n_correct": 0, "n_total": images, "value": 0.0, "per_class": [[0, images, 0], [0, 0, images]]}
    document["scores"] = {"base": 0.0, "new": 100 / 3, "H": 0.0}
    huge = json.loads(signed(document))
    place = next(place for place, line in enumerate(content) if line.get("run_id") == document["run_id"])
    for measured, before in zip(huge["measurements"], content[place]["measurements"], strict=True):
        measured["sentences"] = before["sentences"]
    content[place] |= {key: huge[key] for key in ("measurements", "scores", "sha256")}
    assert f"not the indices of {images} images among 2 classes" in faults(rewrite(packed, content))[0]


def test_a_missing_file_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    assert "it is not there" in faults(tmp_path / "none.jsonl")[0]
    (tmp_path / "empty.jsonl").touch()
    assert "line 1: not JSON" in faults(tmp_path / "empty.jsonl")[0]
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DepthubError, match=r"cannot read .*notes\.txt: Not a directory"):
        depthub.results(tmp_path / "notes.txt")


@examples(max_examples=60, deadline=None)
@given(st.integers(1, 1100).flatmap(lambda m: st.tuples(st.just(m), st.lists(st.integers(0, m - 1), min_size=1, max_size=40))))
def test_class_indices_come_back(case: tuple[int, list[int]]) -> None:
    n_classes, indices = case
    text = class_indices.pack(indices, n_classes)
    assert class_indices.unpack(text, len(indices), n_classes).tolist() == indices
    for images, classes in ((len(indices) + 40, n_classes), (2**52, n_classes), (len(indices), n_classes * 2**12)):
        with pytest.raises(ValueError, match="not the indices of"):
            class_indices.unpack(text, images, classes)


def test_class_indices_as_written_by_hand() -> None:
    assert class_indices.pack([4, 0, 2], 5) == "gQA="
    for text in ("gQE=", "/QA=", "g===", "ü4A="):  # bits after the last index, index 7, no base64
        with pytest.raises(ValueError, match=r"(?i)indices|base64|ascii|padd"):
            class_indices.unpack(text, 3, 5)
