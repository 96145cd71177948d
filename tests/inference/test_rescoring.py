"""Finished runs on other images, and among the classes of all tasks."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import depthub
from depthub.encoding.backbone import Backbone
from depthub.errors import DepthubError
from depthub.inference.rescoring import rescore, rescore_jointly
from depthub.spec import Component, DataSpec, RunSpec, Training
from tests.finished import KINDS, TASKS, Finished
from tests.models import COLOURS


@pytest.mark.parametrize("method", KINDS)
def test_all_classes_together(method: str, finished: Finished, call: Any, tmp_path: Path) -> None:
    """Counts of the joint space, against the classifier's own scores there."""
    classifier, result = finished.load(method), finished.results[method]
    names = [*result.tasks["base"].classes.names, *result.tasks["new"].classes.names]
    status, out, _ = call(
        "rescore", finished.run_id(method), "--joint", "--data", finished.data.name, "--json", "--out", tmp_path / "a.json"
    )
    report = json.loads(out)
    assert status == 0
    assert json.loads((tmp_path / "a.json").read_text()) == report
    assert report["classes"] == names
    assert (report["run_id"], report["joint"]) == (result.spec.run_id, True)
    accuracy = {}
    for measured, shift in zip(report["measurements"], (0, 3), strict=True):
        task = measured["task"]
        classified = classifier.classify(finished.tested(method, task), names)
        labels = [shift + int(label) for label in result.predictions[task].labels]
        assert measured["n_correct"] == sum(a == b for a, b in zip(classified.labels, labels, strict=True))
        assert measured["n_total"] == len(labels)
        assert [sum(column) for column in zip(*measured["per_class"], strict=True)] == [measured["n_correct"], len(labels), len(labels)]
        assert measured["images_sha256"] == result.tasks[task].images_sha256
        accuracy[task] = 100 * measured["n_correct"] / len(labels)
    base, new = accuracy["base"], accuracy["new"]
    assert report["scores"] == pytest.approx({"base": base, "new": new, "H": 2 * base * new / (base + new) if base and new else 0})


def test_text_that_was_stored_is_not_encoded_again(finished: Finished, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    classifier = finished.load("CoOp")
    expected = rescore_jointly(classifier, finished.data.name).as_dict()

    def fail(*_: object) -> None:
        raise AssertionError("text is encoded")

    monkeypatch.setattr(Backbone, "_encode_text", fail)
    assert rescore_jointly(finished.load("CoOp"), finished.data.name).as_dict() == expected
    monkeypatch.undo()
    folder = Path(shutil.copytree(finished.folder("CoOp"), tmp_path / "copy"))
    (folder / "classifier.safetensors").write_bytes((finished.folder("MaPLe") / "classifier.safetensors").read_bytes())
    with pytest.raises(DepthubError, match=r"classifier\.safetensors is not the file"):
        rescore_jointly(depthub.load(folder, backbone=finished.backbone), finished.data.name)
    (folder / "classifier.safetensors").unlink()
    again = rescore_jointly(depthub.load(folder, backbone=finished.backbone), finished.data.name).as_dict()
    assert again == {**expected, "trade_off": pytest.approx(expected["trade_off"], rel=1e-3)}  # its bias is a score, with their rounding


def test_the_runs_own_data_must_be_the_runs(finished: Finished, call: Any, tmp_path: Path) -> None:
    _, _, err = call("rescore", finished.run_id("CoOp"), "--joint")
    assert "the run's data set 'folder:pictures' has another place on each machine; name it with data" in err
    shutil.copytree(finished.pictures, tmp_path / "pictures")
    (tmp_path / "pictures/test/red/0.png").unlink()
    status, _, err = call("rescore", finished.run_id("CoOp"), "--joint", "--data", f"folder:{tmp_path / 'pictures'}")
    assert status == 2
    assert "not those of the spec" in err
    _, _, err = call("rescore", finished.run_id("CoOp"))
    assert "give --data NAME, a data set to test on, or --joint" in err


def test_another_data_set(finished: Finished, call: Any) -> None:
    status, out, _ = call("rescore", finished.run_id("ZeroShot"), "--data", "tones", "--json")
    report = json.loads(out)
    assert status == 0
    assert (report["joint"], report["scores"], report["data"]["name"]) == (False, {}, "tones")
    assert report["measurements"][0]["n_total"] == 576
    _, out, _ = call("rescore", finished.run_id("ZeroShot"), "--data", "tones")
    assert f"{report['measurements'][0]['n_correct']}/576" in out
    assert "3 of the 24 classes are classes that the run was trained on" in out


def test_classes_of_another_folder_are_known_by_their_words(finished: Finished, tmp_path: Path) -> None:
    """The classes that a run was trained on, in another domain and order: its head reads its own rows."""
    classifier = finished.load("CoOp")
    trained = classifier.class_names
    for place, name in enumerate(trained):
        for part in ("train", "test"):
            other = tmp_path / "sketches" / part / f"{'zab'[place]}"
            shutil.copytree(finished.pictures / part / name, other)
            other.rename(other.with_name(name.upper()))
    rescored = rescore(classifier, f"folder:{tmp_path / 'sketches'}")
    assert set(rescored.classes.ids) == set(classifier.stage.classes.ids)
    names = rescored.classes.names
    files = [tmp_path / "sketches/test" / name / f"{i}.png" for name in names for i in range(5)]
    (task,) = rescored.tasks.values()
    assert task.predictions.predicted.tolist() == classifier.classify(files, names).labels
    assert classifier.classify(files, names).labels == classifier.classify(files, [name.lower() for name in names]).labels


def test_a_folder_of_the_same_name_with_other_classes_has_new_classes(finished: Finished, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name, colour in zip(("oak", "ash", "elm"), COLOURS, strict=False):
            shutil.copytree(finished.pictures / part / colour, tmp_path / "pictures" / part / name)
    classifier = finished.load("CoOp")
    rescored = rescore(classifier, f"folder:{tmp_path / 'pictures'}")
    assert set(rescored.classes.ids).isdisjoint({i for task in TASKS for i in classifier.result.tasks[task].classes.ids})


def test_what_a_run_cannot_name_is_refused_before_the_work(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = Component("CoOp", {"class_specific": True, "n_ctx": 2})
    spec = RunSpec(method, protocol=Component("FewShot"), data=finished.data, backbone=finished.backbone, training=Training(epochs=1))
    classifier = depthub.load(depthub.run(spec, runs=tmp_path))
    monkeypatch.setattr(Backbone, "encode_image", None)
    with pytest.raises(DepthubError, match="class-specific contexts exist for the training classes only"):
        rescore(classifier, "tones")
    monkeypatch.undo()
    cat = RunSpec(
        Component("CoOp", {"n_ctx": 2}), Component("CAT"), Component("FewShot"), finished.data, finished.backbone, Training(epochs=1)
    )
    with pytest.raises(DepthubError, match="cannot score other classes"):
        rescore(depthub.load(depthub.run(cat, runs=tmp_path)), "tones")


def test_training_images_are_not_tested_on(finished: Finished, tmp_path: Path) -> None:
    shutil.copytree(finished.pictures / "train", tmp_path / "flat")
    data = DataSpec(f"folder:{tmp_path / 'flat'}")
    spec = RunSpec(Component("ZeroShot"), data=data, backbone=finished.backbone, shots=3)
    classifier = depthub.load(depthub.run(spec, runs=tmp_path / "runs"))
    assert rescore(classifier, data).tasks["folder:flat"].count.n_total == 15
    with pytest.raises(DepthubError, match="images that the run was trained on are among the test images of 'folder:flat'"):
        rescore(classifier, replace(data, test_fraction=0.9))
