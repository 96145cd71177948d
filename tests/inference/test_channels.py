"""The importance of channels of trained runs: an independent re-statement, parts of tasks, the command, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import depthub
from depthub.errors import DepthubError
from depthub.inference.channel_importance import Contrast, ratios
from depthub.inference.channels import channel_importance
from depthub.inference.classifier import Classifier
from depthub.inference.rescoring import Reading, rescore_jointly
from depthub.running import text_features
from depthub.spec import Component, DataSpec, RunSpec, Training
from depthub.statistics.table import Array
from tests.finished import KINDS, TASKS, Finished

WINDOWS = (1, 16, 24)  # of 24 channels


def restated(image: Array, text: Array, labels: list[int], window: int) -> list[float]:
    """Equation 3 by plain loops over images, classes and channels; text is (N, M, d)."""
    channels = image.shape[1]
    values = []
    for r in range(channels):
        total = 0.0
        for j, label in enumerate(labels):
            similar = [
                max(0.0, sum(float(image[j, q % channels] * classes[q % channels]) for q in range(r, r + window))) for classes in text[j]
            ]
            total += similar[label] / (sum(similar) / len(similar) + 1e-12)
        values.append(total / len(labels))
    return values


def features_of(classifier: Classifier, finished: Finished, method: str, task: str) -> tuple[Array, Array]:
    """Features of a task's pictures, read from the files, (N, d), and of its classes for each of them, (N, M, d); both normalised."""
    classes = classifier.result.tasks[task].classes
    inputs = classifier.inputs(classifier.pixels(finished.tested(method, task)))
    with torch.no_grad():
        features = classifier.tuner.method.features(classifier.tuner.backbone, inputs, classes)
    image, text = features.image.double(), features.text.double().expand(len(inputs), len(classes), -1)
    return (image / image.norm(dim=1, keepdim=True)).numpy(), (text / text.norm(dim=2, keepdim=True)).numpy()


@pytest.mark.parametrize("method", KINDS)
def test_a_trained_run_of_any_method(method: str, finished: Finished) -> None:
    classifier = finished.load(method)
    for window in WINDOWS:
        channels = channel_importance(classifier, window=window, data=finished.data.name)
        assert tuple(channels.tasks) == TASKS
        assert (channels.run_id, channels.window) == (finished.run_id(method), window)
        assert channels.scores == finished.results[method].scores
        for task in TASKS:
            image, text = features_of(classifier, finished, method, task)
            labels = finished.results[method].predictions[task].labels.tolist()
            expected = restated(image, text, labels, window)
            assert channels.tasks[task].values == pytest.approx(expected, rel=2e-5, abs=2e-5)  # features are encoded in other batches
            assert channels.tasks[task].images == len(labels)
            assert channels.tasks[task].class_names == finished.results[method].tasks[task].classes.names
    assert channels.label == ("CoOp + DePT" if method == "CoOp" else method)


def test_texts_that_depend_on_the_image_are_those_of_each_image(finished: Finished) -> None:
    """With the first image's texts for all, as the published script takes them, CoCoOp's numbers would be others."""
    image, text = features_of(finished.load("CoCoOp"), finished, "CoCoOp", "base")
    labels = finished.results["CoCoOp"].predictions["base"].labels.tolist()
    values = channel_importance(finished.load("CoCoOp"), ["base"], data=finished.data.name).tasks["base"].values
    of_first = restated(image, np.broadcast_to(text[:1], text.shape), labels, 1)
    assert np.abs(values - of_first).max() > 100 * np.abs(values - restated(image, text, labels, 1)).max()


def test_the_head_does_not_matter(finished: Finished) -> None:
    """The original space: with every scale and bias of DePT changed, the numbers stay."""
    classifier = finished.load("CoOp")
    before = channel_importance(classifier, data=finished.data.name)
    with torch.no_grad():
        for parameter in classifier.tuner.head.parameters():
            parameter.add_(1)
    after = channel_importance(classifier, data=finished.data.name)
    assert all(np.array_equal(before.tasks[task].values, after.tasks[task].values) for task in TASKS)


def test_a_run_by_its_folder_without_training_or_encoding_texts(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts of a prompt method are those in the run's folder."""
    monkeypatch.chdir(Path(finished.backbone.model).parent)  # where the run's name for the weights leads to them
    channels = channel_importance(finished.folder("CoOp"), data=finished.data.name)
    stored, _ = text_features.read(finished.folder("CoOp") / text_features.FILE)
    classifier = finished.load("CoOp")
    monkeypatch.setattr(classifier.tuner.backbone, "encode_text", None)  # not called
    again = channel_importance(classifier, data=finished.data.name)
    assert all(np.array_equal(channels.tasks[task].values, again.tasks[task].values) for task in TASKS)
    assert stored.keys() == {*TASKS}


def test_some_classes_are_told_apart_among_themselves(finished: Finished) -> None:
    classifier = finished.load("CoOp")
    names = finished.results["CoOp"].tasks["base"].classes.names
    part = channel_importance(classifier, class_names=[names[2].upper(), names[0]], data=finished.data.name)
    assert tuple(part.tasks) == ("base",)  # no class of the other task
    assert part.tasks["base"].class_names == (names[0], names[2])  # in the task's order
    image, text = features_of(classifier, finished, "CoOp", "base")
    labels = finished.results["CoOp"].predictions["base"].labels
    rows = np.isin(labels, [0, 2])
    expected = restated(image[rows], text[rows][:, [0, 2]], (labels[rows] // 2).tolist(), 1)
    assert part.tasks["base"].images == rows.sum()
    assert part.tasks["base"].values == pytest.approx(expected, rel=2e-5, abs=2e-5)


def test_tasks_of_several_label_spaces_and_images_without_the_cache(finished: Finished, tmp_path: Path) -> None:
    spec = RunSpec(
        Component("CoOp", {"n_ctx": 2}),
        protocol=Component("CrossDataset", {"targets": ["tones"]}),
        data=finished.data,
        backbone=finished.backbone,
        shots=1,
        training=Training(epochs=1),
    )
    classifier = depthub.load(depthub.run(spec, runs=tmp_path))
    one, other = (channel_importance(classifier, data=finished.data.name, reading=Reading(cache=cache)) for cache in (True, False))
    assert len(one.tasks) == 2
    assert all(one.tasks[task].values == pytest.approx(other.tasks[task].values) for task in one.tasks)
    assert len({task.class_names for task in one.tasks.values()}) == 2


def test_drafts_are_read_as_in_the_run(finished: Finished, tmp_path: Path) -> None:
    """Also where a run is tested again on its own images."""
    generator = np.random.default_rng(0)
    for part in ("train", "test"):
        for name, colour in (("red", (250, 9, 9)), ("blue", (9, 9, 250)), ("green", (9, 250, 9))):
            (tmp_path / "large" / part / name).mkdir(parents=True)
            for i in range(3):
                noisy = np.clip(np.array(colour) - generator.integers(0, 200, (400, 400, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(tmp_path / "large" / part / name / f"{i}.jpg")
    data = DataSpec(f"folder:{tmp_path / 'large'}", decoding="draft")
    spec = RunSpec(Component("ZeroShot"), Component("ITM"), Component("FewShot"), data=data, backbone=finished.backbone, shots=1)
    classifier = depthub.load(depthub.run(spec, runs=tmp_path / "runs"))
    again = rescore_jointly(classifier, data.name).tasks["all"].predictions
    recorded = classifier.result.predictions["all"]
    assert again.scores == pytest.approx(recorded.scores, rel=1e-5, abs=1e-5)
    labels = recorded.labels.tolist()
    files = [tmp_path / "large/test" / name / f"{i}.jpg" for name in classifier.class_names for i in range(3)]
    image = torch.nn.functional.normalize(classifier.image_features(files).double()).numpy()
    text = torch.nn.functional.normalize(classifier.text_features().double()).numpy()
    expected = restated(image, np.broadcast_to(text, (len(files), *text.shape)), labels, 1)
    assert channel_importance(classifier, data=data.name).tasks["all"].values == pytest.approx(expected, rel=2e-5, abs=2e-5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"window": 25}, "channel importance: window is 25, expected 1 to 24, the number of channels"),
        ({"window": 0}, "window is 0, expected 1 to 24"),
        ({"tasks": ["bas"]}, "unknown test task 'bas'; did you mean 'base'"),
        ({"tasks": "base"}, r"'base' in place of a list of names; expected \['base'\]"),
        ({"class_names": ["gren"]}, "unknown class of these test tasks 'gren'; did you mean 'green'"),
        ({"class_names": "green"}, "'green' in place of a list of names"),
        ({"data": "tones"}, "the files of data are not those of the spec"),
    ],
)
def test_what_is_refused(options: dict[str, Any], says: str, finished: Finished) -> None:
    with pytest.raises(DepthubError, match=says):
        channel_importance(finished.load("CoOp"), **{"data": finished.data.name, **options})


def test_a_contrast_by_hand() -> None:
    one, other = np.array([1.0, 2.0, 3.0, 0.0]), np.array([2.0, 1.0, 1.0, 0.0])
    contrast = Contrast.of(one, other)
    assert (contrast.greater, contrast.median_ratio) == (50, 2)
    assert contrast.correlation == pytest.approx(np.corrcoef(one, other)[0, 1])
    assert ratios(np.array([1.0, 0.0]), np.array([0.0, 1.0])).tolist() == [np.inf, 0]
    nothing = Contrast.of(np.zeros(3), np.zeros(3))
    assert np.isnan([nothing.median_ratio, nothing.correlation]).all()


def test_a_contrast_of_tasks_that_are_not_there(finished: Finished) -> None:
    channels = channel_importance(finished.load("CoOp"), ["base"], data=finished.data.name)
    with pytest.raises(DepthubError, match="unknown test task 'new'; known: base"):
        channels.contrast("base", "new")


def test_the_command(finished: Finished, call: Any, tmp_path: Path) -> None:
    place = ("--data", finished.data.name)
    runs = [finished.run_id(method)[:12] for method in ("CoOp", "ZeroShot", "CoOp")]
    status, out, _ = call("channels", *runs, *place, "--out", tmp_path / "a", "--window", 16)
    assert status == 0
    assert "CoOp + DePT" in out
    assert "base : new" in out
    assert "windows of 16 of 24 channels" in out
    report = json.loads((tmp_path / "a/channels.json").read_text())
    assert [run["run_id"] for run in report["runs"]] == [finished.run_id("CoOp"), finished.run_id("ZeroShot")]  # each once
    channels = channel_importance(finished.load("CoOp"), window=16, data=finished.data.name)
    first = report["runs"][0]
    assert first["tasks"]["base"]["importance"] == channels.tasks["base"].values.tolist()
    assert first["contrast"]["greater"] == channels.contrast("base", "new").greater
    assert f"{first['contrast']['median_ratio']:.3f}" in out
    assert first["scores"] == finished.results["CoOp"].scores
    assert (tmp_path / "a/channels.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a/channels.svg").read_bytes().startswith(b"<?xml")
    status, out, _ = call("channels", runs[0], *place, "--json", "--tasks", "new", "base")
    turned = json.loads(out)["runs"][0]
    assert (status, turned["contrast"]["of"], turned["window"]) == (0, ["new", "base"], 1)


def test_mistakes_on_the_command_line(finished: Finished, call: Any, tmp_path: Path) -> None:
    place, run = ("--data", finished.data.name), finished.run_id("CoOp")
    status, _, err = call("channels", run, *place, "--window", 64)
    assert (status, err.count("\n")) == (2, 1)
    assert "window is 64, expected 1 to 24, the number of channels" in err
    _, _, err = call("channels", run, *place, "--classes", "green")
    assert "test task" in err
    assert "has no image of these --classes" in err
    spec = replace(finished.results["ZeroShot"].spec, protocol=Component("FewShot"), data=finished.data)
    all_classes = depthub.run(spec, runs=tmp_path)
    _, _, err = call("channels", all_classes.folder, *place)
    assert "unknown test task 'base'; known: all" in err
