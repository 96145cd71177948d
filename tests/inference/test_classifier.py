"""A finished run at work: the run's own predictions again, other classes, and refusals in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

import depthub
from depthub.data.own.folder import Folder
from depthub.errors import DepthubError
from depthub.inference.classifier import Classifier
from depthub.inference.loading import load
from depthub.records.document import read
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec, Training
from tests.finished import KINDS, TASKS, Finished
from tests.models import random_backbone, write_backbone


@pytest.fixture(scope="module")
def coop(finished: Finished) -> Classifier:
    return finished.load("CoOp")


@pytest.mark.parametrize("method", KINDS)
def test_from_anywhere_a_run_predicts_as_it_did(method: str, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    classifier, stored = finished.load(method), read(finished.folder(method))
    for task in TASKS:
        recorded = stored.predictions[task]
        classified = classifier.classify(finished.tested(method, task), task=task)
        assert classified.labels == recorded.predicted.tolist()
        best = classified.scores.gather(1, torch.from_numpy(recorded.best.astype(np.int64)))
        torch.testing.assert_close(best, torch.from_numpy(recorded.scores), rtol=1e-4, atol=1e-4)
        assert [name for name, _ in (row[0] for row in classified.best(1))] == classified.names
        by_name = classifier.classify(finished.tested(method, task), stored.tasks[task].classes.names)
        assert torch.equal(by_name.scores, classified.scores)


def test_dept_fuses_on_trained_classes_and_matches_on_new_ones(coop: Classifier, finished: Finished) -> None:
    """As equation 8 and the published code have it, recomputed here from the features and the head's own parts."""
    head: Any = coop.tuner.head
    for task, fused in (("base", True), ("new", False)):
        pictures = finished.tested("CoOp", task)
        image = coop.image_features(pictures)
        text = coop.text_features(task=task)
        matching = coop.tuner.backbone.scale * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
        expected = 0.7 * head.cat.classifier(head.cat.image(image)) + 0.3 * matching if fused else matching
        recorded = finished.results["CoOp"].predictions[task]
        best = expected.gather(1, torch.from_numpy(recorded.best.astype(np.int64)))
        torch.testing.assert_close(best, torch.from_numpy(recorded.scores), rtol=1e-4, atol=1e-4)


def test_some_of_the_trained_classes_have_the_scores_that_they_have_among_all(coop: Classifier, finished: Finished) -> None:
    pictures = finished.tested("CoOp", "base")
    names = coop.class_names
    whole, part = coop.classify(pictures), coop.classify(pictures, [names[2], names[0]])
    torch.testing.assert_close(part.scores, whole.scores[:, [2, 0]])
    assert part.class_names == (names[2], names[0])


def test_classes_never_seen(coop: Classifier, finished: Finished) -> None:
    """One new class, and the head reads all of them as new."""
    pictures = finished.tested("CoOp", "base")[:3]
    classified = coop.classify(pictures, [*coop.class_names, "a zebra crossing"])
    text = coop.text_features([*coop.class_names, "a zebra crossing"])
    matching = coop.tuner.backbone.scale * F.normalize(coop.image_features(pictures), dim=-1) @ F.normalize(text, dim=-1).T
    torch.testing.assert_close(classified.scores, matching, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(classified.probabilities.sum(dim=1), torch.ones(3))
    assert len(classified.best(9)[0]) == len(coop.class_names) + 1


def test_a_class_is_known_by_its_words(coop: Classifier) -> None:
    trained = coop.stage.classes
    assert coop.classes([name.upper() for name in trained.names]).ids == trained.ids
    assert coop.classes([f"{trained.names[0]}_"]).ids == trained.ids[:1]
    new = coop.result.tasks["new"].classes
    assert coop.classes(new.names).ids == new.ids
    assert not {*trained.ids, *new.ids} & set(coop.classes(["a fish", "a bird"]).ids)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("red", "class_names is 'red', expected a list of names"),
        ([], "expected a list of names"),
        ([1, 2], "expected a list of names"),
        (["red", "Red"], "'red' and 'Red'"),
        (["red", " "], "empty name"),
        (["red", "word " * 60], "shorten the context or the name"),
    ],
)
def test_class_names_that_are_none(names: Any, reason: str, coop: Classifier) -> None:
    with pytest.raises(DepthubError, match=reason) as caught:
        coop.classify(torch.zeros(3, 32, 32), names)
    assert "\n" not in str(caught.value)


def test_a_context_of_its_own_for_each_class_has_nothing_to_say_of_others(finished: Finished, tmp_path: Path) -> None:
    method = Component("CoOp", {"class_specific": True, "n_ctx": 2})
    spec = RunSpec(method, protocol=Component("FewShot"), data=finished.data, backbone=finished.backbone, training=Training(epochs=1))
    classifier = load(depthub.run(spec, runs=tmp_path))
    assert classifier.classify(torch.zeros(3, 32, 32), classifier.class_names[1:3]).scores.shape == (1, 2)
    with pytest.raises(DepthubError, match="class-specific contexts exist for the training classes only"):
        classifier.classify(torch.zeros(3, 32, 32), ["zebra"])


@pytest.mark.parametrize("method", ["CoOp", "MaPLe"])
def test_many_images_are_the_same_in_batches(method: str, finished: Finished) -> None:
    classifier = finished.load(method)
    pixels = torch.randn(205, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    whole = classifier.classify(pixels)
    parts = torch.cat([classifier.classify(pixels[:100]).scores, classifier.classify(list(pixels[100:])).scores])
    torch.testing.assert_close(whole.scores, parts)


def test_pictures_in_memory_are_read_as_files_are(coop: Classifier, finished: Finished) -> None:
    path = finished.tested("CoOp", "base")[0]
    with Image.open(path) as picture:
        assert torch.equal(coop.pixels(picture), coop.pixels(path))
    deep = Image.fromarray(np.full((40, 40), 0.5, np.float32))
    with pytest.raises(DepthubError, match="32-bit floating-point") as caught:
        coop.classify(deep)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ([], "no images are given"),
        (torch.zeros(0, 3, 32, 32), r"expected normalised pixels of shape \(N, 3, 32, 32\)"),
        (torch.zeros(3, 31, 32), "expected normalised pixels"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "torch.uint8"),
        ([3], "an image is a int, expected a picture"),
        ("nowhere.png", "nowhere.png"),
    ],
)
def test_images_that_are_none(images: Any, reason: str, coop: Classifier) -> None:
    with pytest.raises(DepthubError, match=reason):
        coop.classify(images)


def test_drafts_are_read_as_in_the_run(finished: Finished, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name, colour in (("red", (250, 9, 9)), ("blue", (9, 9, 250))):
            (tmp_path / "large" / part / name).mkdir(parents=True)
            noise = np.random.default_rng(0).integers(0, 99, (400, 400, 3))
            for i in range(2):
                pixels = np.clip(np.array(colour) - noise + i, 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "large" / part / name / f"{i}.jpg")
    data = DataSpec(f"folder:{tmp_path / 'large'}", decoding="draft")
    spec = RunSpec(Component("ZeroShot"), Component("ITM"), Component("FewShot"), data=data, backbone=finished.backbone, shots=1)
    result = depthub.run(spec, runs=tmp_path / "runs")
    files = [tmp_path / "large" / name for name in Folder(tmp_path / "large").load().test.ids]
    scores = load(result).classify(files, task="all").scores
    recorded = result.predictions["all"]
    expected = torch.from_numpy(recorded.scores)
    torch.testing.assert_close(scores.gather(1, torch.from_numpy(recorded.best.astype(np.int64))), expected, rtol=1e-4, atol=1e-4)


def test_features_of_text_that_depend_on_the_image(finished: Finished, coop: Classifier) -> None:
    assert coop.text_features(["a", "b"]).shape == (2, 24)
    assert coop.image_features(torch.zeros(3, 32, 32)).shape == (1, 24)
    with pytest.raises(DepthubError, match="the text features of CoCoOp depend on the image; classify images instead"):
        finished.load("CoCoOp").text_features()


def test_names_of_tasks(coop: Classifier) -> None:
    with pytest.raises(DepthubError, match="unknown test task 'bas'; did you mean 'base'"):
        coop.classes(task="bas")
    with pytest.raises(DepthubError, match="not both"):
        coop.classes(["red"], "base")


def test_weights_that_are_elsewhere_or_others(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DepthubError, match=r"name their place with backbone \(--backbone.model, --backbone.pretrained\)"):
        load(finished.folder("CoOp"))
    other = write_backbone(tmp_path / "other")
    from safetensors.torch import save_file

    state = {name: value + 0.01 for name, value in random_backbone(dtype=torch.float32, context_length=40).clip.state_dict().items()}
    save_file(state, other.pretrained)
    with pytest.raises(DepthubError, match="the backbone's weights are not the run's: sha256"):
        load(finished.folder("CoOp"), backbone=other)
    with pytest.raises(DepthubError, match="are not a file"):
        load(finished.folder("CoOp"), backbone=BackboneSpec(other.model, str(tmp_path / "none.safetensors")))


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Callable[[str], Path]:
    """Copies a run's folder, to be spoilt."""

    def copy(method: str) -> Path:
        return Path(shutil.copytree(finished.folder(method), tmp_path / method))

    return copy


def test_what_was_tuned_is_missing_damaged_or_of_another_run(finished: Finished, copied: Callable[[str], Path]) -> None:
    folder = copied("CoOp")
    tuned = folder / "tuned-0.safetensors"
    content = tuned.read_bytes()
    for spoilt, reason in (
        (content[:-5], "is not the file that the run beside it was written with"),
        ((finished.folder("CoCoOp") / tuned.name).read_bytes(), "tuned-0"),
        (None, "run it again"),
    ):
        tuned.unlink()
        if spoilt:
            tuned.write_bytes(spoilt)
        with pytest.raises(DepthubError, match=reason) as caught:
            load(folder, backbone=finished.backbone)
        assert "\n" not in str(caught.value)


def test_code_that_is_other_code_is_refused(finished: Finished) -> None:
    result = read(finished.folder("CoOp"))
    inputs = result.provenance["inputs"]
    for code in ({"distribution": "depthub", "version": "0.1.0", "sha256": "0" * 64}, 3, {}):
        other = {**inputs, "code": {**inputs["code"], "methods CoOp": code}}
        with pytest.raises(DepthubError, match="cannot be used with the code that is installed: methods CoOp was"):
            load(replace(result, provenance={**result.provenance, "inputs": other}), backbone=finished.backbone)
    newer = {**inputs["code"]["methods CoOp"], "version": "9.9"}  # the same source under another version
    other = {**inputs, "code": {**inputs["code"], "methods CoOp": newer}}
    load(replace(result, provenance={**result.provenance, "inputs": other}), backbone=finished.backbone)


def test_runs_that_cannot_be_loaded(finished: Finished) -> None:
    result = read(finished.folder("CoOp"))
    with pytest.raises(DepthubError, match=r"schema 1\.0"):
        load(replace(result, stages=(), tasks={}))
    with pytest.raises(DepthubError, match="stage is 1, expected 0 to 0"):
        load(result, stage=1)
    with pytest.raises(DepthubError, match="cannot read"):
        load(finished.root / "no such run")
    missing = replace(result, spec=replace(result.spec, method=Component("NoSuch")))
    with pytest.raises(DepthubError, match="unknown method 'NoSuch'"):
        load(missing, backbone=finished.backbone)
