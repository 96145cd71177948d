"""The joint label space: three readings of one head, the trade-off of its sides, and what a training has cost."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import depthub
from depthub.errors import DepthubError
from depthub.head import ITM
from depthub.inference.forgetting import forgetting
from depthub.inference.readings import read_by
from depthub.inference.rescoring import rescore, rescore_jointly
from depthub.spec import Component, RunSpec, Training
from depthub.statistics.trade_off import Leads, trade_off
from depthub.training.tuner import Tuner
from depthub.types import ClassSet, Features
from tests.finished import KINDS, TASKS, Finished

READINGS = ("head", "itm", "rows")


def scores_of(tuner: Tuner, finished: Finished, method: str, classes: ClassSet) -> dict[str, torch.Tensor]:
    """Scores of each task's images among some classes, (N, M)."""
    classifier = finished.load(method)
    inputs = {task: classifier.inputs(classifier.pixels(finished.tested(method, task))) for task in TASKS}
    with torch.no_grad():
        return {task: tuner(images, classes) for task, images in inputs.items()}


@pytest.mark.parametrize("method", KINDS)
def test_a_head_that_reads_all_classes_alike_has_one_reading(method: str, finished: Finished) -> None:
    classifier = finished.load(method)
    head, itm, rows = (rescore_jointly(classifier, finished.data.name, scored_by=reading) for reading in READINGS)
    plain = Tuner(classifier.tuner.backbone, classifier.tuner.method, ITM(24, classifier.stage.classes)).eval()
    scores = scores_of(plain, finished, method, head.classes)
    for task in TASKS:
        assert itm.tasks[task].predictions.predicted.tolist() == scores[task].argmax(dim=1).tolist()
        assert head.tasks[task].count == itm.tasks[task].count  # also DePT's: with new classes beside them, it fuses none
        assert method == "CoOp" or rows.tasks[task].count == itm.tasks[task].count
    assert [one.as_dict()["reading"] for one in (head, itm, rows)] == [*READINGS]


def test_rows_of_trained_classes_are_fused(finished: Finished) -> None:
    """DePT: its own logits of the trained classes alone, and image-text matching of the others."""
    classifier = finished.load("CoOp")
    trained = classifier.stage.classes
    rows = rescore_jointly(classifier, finished.data.name, scored_by="rows")
    new = rows.classes.take([row for row, i in enumerate(rows.classes.ids) if i not in trained.ids])
    fused, matched = (scores_of(classifier.tuner, finished, "CoOp", classes) for classes in (trained, new))
    assert rows.classes.ids == (*trained.ids, *new.ids)
    for task in TASKS:
        predictions = rows.tasks[task].predictions
        together = torch.cat([fused[task], matched[task]], dim=1)
        assert predictions.predicted.tolist() == together.argmax(dim=1).tolist()
        assert torch.allclose(torch.tensor(predictions.scores), together.topk(5).values, rtol=1e-4)
    itm = rescore_jointly(classifier, finished.data.name, scored_by="itm")
    assert itm.tasks["base"].predictions.scores.tolist() != rows.tasks["base"].predictions.scores.tolist()


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("method", ["CoOp", "CoCoOp"])
def test_the_trade_off_is_that_of_all_scores(method: str, reading: Any, finished: Finished) -> None:
    """From the scores themselves, in float64."""
    classifier = finished.load(method)
    rescored = rescore_jointly(classifier, finished.data.name, scored_by=reading)
    trained = classifier.stage.classes
    tuner = read_by(classifier.tuner, reading, trained, rescored.classes)
    leads = []
    for (task, scores), side in zip(scores_of(tuner, finished, method, rescored.classes).items(), (slice(0, 3), slice(3, 5)), strict=True):
        table = scores.double().numpy()
        labels = rescored.tasks[task].predictions.labels
        right = table[:, side].argmax(axis=1) + side.start == labels
        leads.append(Leads(table[:, :3].max(axis=1) - table[:, 3:].max(axis=1), right))
    expected = trade_off(*leads)
    assert rescored.trade_off is not None
    assert (rescored.trade_off.area, rescored.trade_off.best_h) == pytest.approx((expected.area, expected.best_h))
    assert rescored.trade_off.best_h >= rescored.scores["H"] - 1e-9


def test_the_command_has_the_reading_and_the_trade_off(finished: Finished, call: Any) -> None:
    place = ("--joint", "--data", finished.data.name)
    status, out, _ = call("rescore", finished.run_id("CoOp"), *place, "--reading", "rows", "--json")
    report = json.loads(out)
    assert (status, report["reading"]) == (0, "rows")
    assert report["trade_off"].keys() == {"area", "best_h", "bias"}
    _, out, _ = call("rescore", finished.run_id("CoOp"), *place, "--reading", "rows")
    assert f"{report['trade_off']['area']:.4f}" in out
    assert "best H, over a bias" in out
    assert call("rescore", finished.run_id("CoOp"), *place, "--reading", "mine")[0] == 2
    with pytest.raises(DepthubError, match="reading is 'itn', expected one of head, itm, rows; did you mean 'itm'"):
        rescore_jointly(finished.load("CoOp"), finished.data.name, scored_by="itn")  # type: ignore[arg-type]
    _, out, _ = call("rescore", finished.run_id("ZeroShot"), "--data", "tones", "--json")
    assert json.loads(out)["trade_off"] is None


def test_readings_that_a_head_cannot_give_are_refused(finished: Finished, tmp_path: Path) -> None:
    """Probabilities of two calls do not compare; a classifier without DePT has no reading of new classes."""
    common = {"data": finished.data, "backbone": finished.backbone, "shots": 2, "training": Training(epochs=1)}
    fused = RunSpec(Component("CoOp", {"n_ctx": 2}), Component("DePT", {"fusion": "probabilities"}), **common)  # type: ignore[arg-type]
    classifier = depthub.load(depthub.run(fused, runs=tmp_path))
    with pytest.raises(DepthubError, match="head DePT gives probabilities, which do not compare across rows"):
        rescore_jointly(classifier, finished.data.name, scored_by="rows")
    assert rescore_jointly(classifier, finished.data.name, scored_by="itm").trade_off is not None
    cat = RunSpec(Component("CoOp", {"n_ctx": 2}), Component("CAT"), Component("FewShot"), **common)  # type: ignore[arg-type]
    alone = depthub.load(depthub.run(cat, runs=tmp_path))
    assert rescore_jointly(alone, finished.data.name).trade_off is None
    with pytest.raises(DepthubError, match="cannot score other classes"):
        rescore_jointly(alone, finished.data.name, scored_by="itm")


def test_trained_classes_of_other_images_have_three_readings(finished: Finished, tmp_path: Path) -> None:
    """The classes of the training in another domain: fused as in the run, or by image-text matching alone."""
    classifier = finished.load("CoOp")
    for part in ("train", "test"):
        for name in classifier.class_names:
            shutil.copytree(finished.pictures / part / name, tmp_path / "sketches" / part / name)
    head, itm, rows = (rescore(classifier, f"folder:{tmp_path / 'sketches'}", scored_by=reading) for reading in READINGS)
    (first,), (second,), (third,) = (one.tasks.values() for one in (head, itm, rows))
    assert first.predictions.scores.tolist() == third.predictions.scores.tolist() != second.predictions.scores.tolist()
    expected = classifier.tuner.features
    classes = itm.classes
    pixels = classifier.pixels([tmp_path / "sketches/test" / name / f"{i}.png" for name in classes.names for i in range(5)])
    with torch.no_grad():
        features: Features = expected(classifier.inputs(pixels), classes)
        matched = ITM(24, classes)(features)
    assert second.predictions.predicted.tolist() == matched.argmax(dim=1).tolist()


def test_forgetting_is_a_difference_on_the_same_images(finished: Finished, call: Any, tmp_path: Path) -> None:
    tuned, plain = finished.results["CoOp"], finished.results["ZeroShot"]
    expected = {task: tuned.counts[task].percent - plain.counts[task].percent for task in TASKS}
    assert forgetting(tuned, finished.folder("ZeroShot")) == expected == depthub.forgetting(finished.folder("CoOp"), plain)
    files = {method: tmp_path / f"{method}.json" for method in ("CoOp", "ZeroShot")}
    for method, path in files.items():
        assert call("rescore", finished.run_id(method), "--data", "tones", "--out", path)[0] == 0
    of_files = forgetting(files["CoOp"], str(files["ZeroShot"]))
    results = {method: rescore(finished.load(method), "tones") for method in files}
    assert of_files == forgetting(results["CoOp"], results["ZeroShot"])
    assert of_files["tones"] == results["CoOp"].tasks["tones"].count.percent - results["ZeroShot"].tasks["tones"].count.percent
    with pytest.raises(DepthubError, match="no task is in both: base, new in the run, tones in the other"):
        forgetting(tuned, files["ZeroShot"])
    with pytest.raises(DepthubError, match="task 'base' has other images or classes"):
        forgetting(rescore_jointly(finished.load("CoOp"), finished.data.name), plain)
    tasks = {task: replace(tested, images_sha256="0" * 64) for task, tested in plain.tasks.items()}
    with pytest.raises(DepthubError, match="task 'base' has other images or classes"):
        forgetting(tuned, replace(plain, tasks=tasks))
    files["CoOp"].write_text("[]")
    with pytest.raises(DepthubError, match="is not a file of `depthub rescore --out`"):
        forgetting(files["CoOp"], plain)
