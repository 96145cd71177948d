"""Commands and functions on finished runs: predict, rescore, export, list, show, compare, and tables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import depthub
from depthub.cli import main
from depthub.encoding.backbone import Backbone
from depthub.errors import DepthubError
from depthub.inference.export import export_classifier, export_prompts
from depthub.inference.rescoring import rescore, rescore_jointly
from depthub.protocol import Count, Summary
from depthub.records.collection import Results, results
from depthub.records.comparison import compare
from depthub.records.document import read
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.spec import Component, DataSpec, RunSpec, Training
from depthub.types import ClassSet
from tests.finished import KINDS, TASKS, Finished, finish
from tests.models import COLOURS


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finish(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def call(finished: Finished, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Calls a command with the options that lead to the runs and the backbone; gives exit status, output and error output."""

    def run(command: str, *args: object, where: bool = True) -> tuple[int, str, str]:
        places = ["--backbone.model", finished.backbone.model, "--backbone.pretrained", finished.backbone.pretrained]
        options = ["--runs", finished.runs, *places] if where else []
        status = main([*command.split(), *map(str, args), *map(str, options)])
        out, err = capsys.readouterr()
        told = ("depthub: error:", "depthub: warning:", "depthub: not exported:", "depthub: no such run")  # the rest is progress
        return status, out, "".join(line for line in err.splitlines(keepends=True) if line.startswith(told))

    return run


def run_id(finished: Finished, method: str) -> str:
    return finished.results[method].spec.run_id


# predictions and counts


@pytest.mark.parametrize("method", KINDS)
def test_counts_by_class_and_confusions_add_up(method: str, finished: Finished) -> None:
    result = read(finished.folder(method))
    for task in TASKS:
        rows, confusion, count = result.per_class(task), result.confusion(task), result.counts[task]
        assert [row["class"] for row in rows] == list(result.tasks[task].classes.names)
        for row in rows:
            guesses = confusion[row["class"]]
            assert sum(guesses.values()) == row["n_total"]
            assert guesses.get(row["class"], 0) == row["n_correct"]
            assert sum(other.get(row["class"], 0) for other in confusion.values()) == row["n_predicted"]
        assert sum(row["n_correct"] for row in rows) == count.n_correct
    with pytest.raises(DepthubError, match="unknown task 'bass'; did you mean 'base'"):
        result.per_class("bass")


@pytest.mark.parametrize("method", KINDS)
def test_other_metrics_follow_from_what_was_kept(method: str, finished: Finished) -> None:
    """Top-k and the likelihood of the true class, against those of the full scores."""
    classifier, result = finished.load(method), read(finished.folder(method))
    for task in TASKS:
        kept = result.predictions[task]
        told = classifier.classify(finished.tested(method, task), task=task)
        labels = torch.from_numpy(kept.labels.astype(np.int64))
        order = told.scores.sort(dim=1, descending=True, stable=True).indices
        for k in range(1, kept.best.shape[1] + 1):
            assert kept.top(k) == int((order[:, :k] == labels[:, None]).any(dim=1).sum())
        likelihood = -told.probabilities.gather(1, labels[:, None])[:, 0].log()
        torch.testing.assert_close(torch.from_numpy(kept.negative_log_likelihood()).float(), likelihood, rtol=1e-4, atol=1e-4)
        assert kept.count() == result.counts[task]
        with pytest.raises(DepthubError, match="top-6 is not in these predictions"):
            kept.top(6)


def test_classes_of_one_name_are_kept_apart() -> None:
    classes = ClassSet("birds and machines", (0, 1), ("crane", "crane"))
    labels, ones = np.array([0, 1], np.int32), np.ones(2, np.float32)
    predictions = depthub.Predictions(labels, labels[:, None], ones[:, None], ones, ones, 2)
    result = RunResult(
        RunSpec(), {"all": Count(2, 2, ((1, 1, 1),) * 2)}, {}, tasks={"all": depthub.TestedTask(classes)}, predictions={"all": predictions}
    )
    assert result.confusion("all") == {"crane": {"crane": 1}, "crane (2)": {"crane (2)": 1}}


# predict


def test_predict_names_the_broken_picture_and_goes_on(finished: Finished, call: Any, tmp_path: Path) -> None:
    shutil.copytree(finished.pictures / "test", tmp_path / "all")
    (tmp_path / "all/red/broken.png").write_bytes(b"not a picture")
    (tmp_path / "all/notes.txt").write_text("no picture either")
    (tmp_path / "all/back").symlink_to(tmp_path / "all", target_is_directory=True)
    status, out, err = call("predict", run_id(finished, "CoOp")[:6], tmp_path / "all", "--json", "--top", "2", "--task", "base")
    made = json.loads(out)
    assert status == 2
    assert err.count("\n") == 1
    assert "broken.png" in err
    assert [Path(one["path"]).name for one in made["failed"]] == ["broken.png"]
    names = finished.results["CoOp"].tasks["base"].classes.names
    assert made["classes"] == list(names)
    told = finished.load("CoOp").classify([Path(one["path"]) for one in made["images"]], task="base")
    assert len(made["images"]) == 25
    assert [[(b["class"], b["probability"]) for b in one["best"]] for one in made["images"]] == [
        [(name, pytest.approx(value)) for name, value in row] for row in told.best(2)
    ]


def test_predict_as_a_table(finished: Finished, call: Any) -> None:
    path = finished.tested("MaPLe", "new")[0]
    status, out, err = call("predict", finished.folder("MaPLe") / "run.json", path, path, "--classes", "red", "[bold]striped[/bold]")
    assert (status, err) == (0, "")
    assert "probability" in out
    assert "0." in out
    best = finished.load("MaPLe").classify(path, ["red", "[bold]striped[/bold]"]).names[0]
    assert best in out
    assert out.count(best) == 1  # a file that is named twice is one


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["no-such-run", "x.png"], "no run 'no-such-run'"),
        (["", "x.png"], "no run ''"),
        (["{id}", "{empty}"], "holds no picture"),
        (["{id}", "{picture}", "--task", "nwe"], "unknown test task 'nwe'; did you mean 'new'"),
        (["{id}", "{picture}", "--classes", "red", "RED"], "have the same words"),
        (["{id}", "{picture}", "--top", "0"], "--top"),
        (["{id}"], "missing: IMAGES"),
    ],
)
def test_predict_refuses_in_one_line(args: list[str], said: str, finished: Finished, call: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    values = {"id": run_id(finished, "CoOp")[:8], "empty": tmp_path / "empty", "picture": finished.tested("CoOp", "base")[0]}
    status, out, err = call("predict", *(arg.format(**values) for arg in args))
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_run_is_found_by_the_beginning_of_its_id(finished: Finished, tmp_path: Path) -> None:
    store = Store(finished.runs)
    one = run_id(finished, "CoOp")
    assert store.find(one[:10]) == finished.folder("CoOp")
    assert store.find(str(finished.folder("CoOp"))) == finished.folder("CoOp")
    twins = Store(tmp_path)
    for name in ("abc1", "abc2", "d"):
        (tmp_path / name).mkdir()
    with pytest.raises(DepthubError, match=r"2 runs in .* begin with 'abc'"):
        twins.find("abc")
    for given in ("*", "abd", ""):
        with pytest.raises(DepthubError, match="no run"):
            twins.find(given)


# rescore


@pytest.mark.parametrize("method", KINDS)
def test_all_classes_together(method: str, finished: Finished, call: Any, tmp_path: Path) -> None:
    """Counts of the joint space, against the classifier's own scores there."""
    classifier, result = finished.load(method), finished.results[method]
    names = [*result.tasks["base"].classes.names, *result.tasks["new"].classes.names]
    status, out, _ = call(
        "rescore", run_id(finished, method), "--joint", "--data", finished.data.name, "--json", "--out", tmp_path / "a.json"
    )
    made = json.loads(out)
    assert status == 0
    assert json.loads((tmp_path / "a.json").read_text()) == made
    assert made["classes"] == names
    assert (made["run_id"], made["joint"]) == (result.spec.run_id, True)
    accuracy = {}
    for measured, shift in zip(made["measurements"], (0, 3), strict=True):
        task = measured["task"]
        told = classifier.classify(finished.tested(method, task), names)
        labels = [shift + int(label) for label in result.predictions[task].labels]
        assert measured["n_correct"] == sum(a == b for a, b in zip(told.labels, labels, strict=True))
        assert measured["n_total"] == len(labels)
        assert [sum(column) for column in zip(*measured["per_class"], strict=True)] == [measured["n_correct"], len(labels), len(labels)]
        assert measured["images_sha256"] == result.tasks[task].images_sha256
        accuracy[task] = 100 * measured["n_correct"] / len(labels)
    base, new = accuracy["base"], accuracy["new"]
    assert made["scores"] == pytest.approx({"base": base, "new": new, "H": 2 * base * new / (base + new) if base and new else 0})


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
    assert rescore_jointly(depthub.load(folder, backbone=finished.backbone), finished.data.name).as_dict() == expected


def test_the_runs_own_data_must_be_the_runs(finished: Finished, call: Any, tmp_path: Path) -> None:
    _, _, err = call("rescore", run_id(finished, "CoOp"), "--joint")
    assert "the run's data set 'folder:pictures' has another place on each machine; name it with data" in err
    shutil.copytree(finished.pictures, tmp_path / "pictures")
    (tmp_path / "pictures/test/red/0.png").unlink()
    status, _, err = call("rescore", run_id(finished, "CoOp"), "--joint", "--data", f"folder:{tmp_path / 'pictures'}")
    assert status == 2
    assert "not those of the spec" in err
    _, _, err = call("rescore", run_id(finished, "CoOp"))
    assert "give --data NAME, a data set to test on, or --joint" in err


def test_another_data_set(finished: Finished, call: Any) -> None:
    status, out, _ = call("rescore", run_id(finished, "ZeroShot"), "--data", "tones", "--json")
    made = json.loads(out)
    assert status == 0
    assert (made["joint"], made["scores"], made["data"]["name"]) == (False, {}, "tones")
    assert made["measurements"][0]["n_total"] == 576
    _, out, _ = call("rescore", run_id(finished, "ZeroShot"), "--data", "tones")
    assert f"{made['measurements'][0]['n_correct']}/576" in out
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
    with pytest.raises(DepthubError, match="cannot score classes it never saw"):
        rescore(depthub.load(depthub.run(cat, runs=tmp_path)), "tones")


def test_training_images_are_not_tested_on(finished: Finished, tmp_path: Path) -> None:
    shutil.copytree(finished.pictures / "train", tmp_path / "flat")
    data = DataSpec(f"folder:{tmp_path / 'flat'}")
    spec = RunSpec(Component("ZeroShot"), data=data, backbone=finished.backbone, shots=3)
    classifier = depthub.load(depthub.run(spec, runs=tmp_path / "runs"))
    assert rescore(classifier, data).tasks["folder:flat"].count.n_total == 15
    with pytest.raises(DepthubError, match="images that the run was trained on are among the test images of 'folder:flat'"):
        rescore(classifier, replace(data, test_fraction=0.9))


# export


@pytest.mark.parametrize("method", ["CoOp", "MaPLe", "ZeroShot"])
def test_an_exported_classifier_gives_the_classifiers_scores(method: str, finished: Finished, call: Any, tmp_path: Path) -> None:
    status, out, err = call("export", run_id(finished, method), "--out", tmp_path, "--task", "base", "--images", finished.pictures / "test")
    assert status == 0
    assert str(tmp_path / "classifier.pt2") in out
    assert ("learns no prompts" in err) == (method == "ZeroShot")
    described = json.loads((tmp_path / "classifier.json").read_text())
    assert described["classes"] == list(finished.results[method].tasks["base"].classes.names)
    assert described["pixels"]["shape"] == ["B", 3, 32, 32]
    assert described["compared"]["images"] == 25
    program, classifier = torch.export.load(tmp_path / "classifier.pt2").module(), finished.load(method)
    for number in (1, 5):
        pixels = torch.randn(number, 3, 32, 32, generator=torch.Generator().manual_seed(number))
        torch.testing.assert_close(program(pixels), classifier.classify(pixels, task="base").scores, rtol=1e-4, atol=1e-4)


def test_a_program_stands_without_depthub(finished: Finished, tmp_path: Path) -> None:
    classifier = finished.load("MaPLe")
    export_classifier(classifier, tmp_path, ["red", "a new one"])
    pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.save(pixels, tmp_path / "pixels.pt")
    program = (
        "import sys, torch; sys.modules['depthub'] = None; folder = sys.argv[1]\n"
        "scores = torch.export.load(f'{folder}/classifier.pt2').module()(torch.load(f'{folder}/pixels.pt'))\n"
        "torch.save(scores.detach(), f'{folder}/scores.pt')"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    torch.testing.assert_close(
        torch.load(tmp_path / "scores.pt"), classifier.classify(pixels, ["red", "a new one"]).scores, rtol=1e-4, atol=1e-4
    )


def test_an_ensemble_of_templates_is_exported_whole(finished: Finished, tmp_path: Path) -> None:
    method = Component("ZeroShot", {"templates": ["a {}.", "a drawing of a {}.", "{} things"]})
    classifier = depthub.load(depthub.run(RunSpec(method, data=finished.data, backbone=finished.backbone, shots=2), runs=tmp_path))
    path, _ = export_classifier(classifier, tmp_path, ["red", "blue", "dogs"])
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    scores = torch.export.load(path).module()(pixels)
    torch.testing.assert_close(scores, classifier.classify(pixels, ["red", "blue", "dogs"]).scores, rtol=1e-4, atol=1e-4)


def test_exported_prompts_are_the_learned_ones_with_words_near_them(finished: Finished, tmp_path: Path) -> None:
    classifier = finished.load("MaPLe")
    export_prompts(classifier, tmp_path)
    tensors, described = load_file(tmp_path / "prompts.safetensors"), json.loads((tmp_path / "prompts.json").read_text())
    method: Any = classifier.tuner.method
    assert set(tensors) == {"text.0", "text.1", "image.0", "image.1"}
    for layer, context in enumerate(method.contexts):
        assert torch.equal(tensors[f"text.{layer}"], context.detach())
    vocabulary = classifier.tuner.backbone.text.token_embedding.weight
    for token, near in zip(tensors["text.0"], described["nearest_words"], strict=True):
        distances = (vocabulary - token).norm(dim=1).sort()
        assert [one["distance"] for one in near] == pytest.approx(distances.values[:5].tolist(), abs=1e-3)
        assert near[0]["word"] == classifier.tuner.backbone.tokenizer.decode([int(distances.indices[0])]).strip()


def test_a_context_for_each_class_has_words_for_each(finished: Finished, tmp_path: Path) -> None:
    method = Component("CoOp", {"class_specific": True, "n_ctx": 2})
    spec = RunSpec(method, protocol=Component("FewShot"), data=finished.data, backbone=finished.backbone, training=Training(epochs=1))
    export_prompts(depthub.load(depthub.run(spec, runs=tmp_path)), tmp_path)
    near = json.loads((tmp_path / "prompts.json").read_text())["nearest_words"]
    assert [len(own) for own in near] == [2] * 5


def test_prompts_of_the_image_tower_alone_have_no_words(finished: Finished, tmp_path: Path) -> None:
    method = Component("VPT", {"depth": 2, "n_ctx": 3})
    spec = RunSpec(method, data=finished.data, backbone=finished.backbone, shots=1, training=Training(epochs=1))
    tensors, words = export_prompts(depthub.load(depthub.run(spec, runs=tmp_path)), tmp_path)
    assert {name: list(value.shape) for name, value in load_file(tensors).items()} == {"image.0": [3, 48], "image.1": [3, 48]}
    assert json.loads(words.read_text())["nearest_words"] == []


def test_what_depends_on_the_image_is_not_exported(finished: Finished, call: Any, tmp_path: Path) -> None:
    status, out, err = call("export", run_id(finished, "CoCoOp"), "--out", tmp_path / "out")
    assert (status, out) == (2, "")
    assert "the text features of CoCoOp depend on the image" in err
    assert not (tmp_path / "out").exists()


# list, show, diff


def test_runs_are_listed_and_bad_files_named(finished: Finished, call: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished.runs, tmp_path / "runs"))
    (folder / "bad").mkdir()
    (folder / "bad" / "run.json").write_text("{")
    os.mkfifo(folder / "bad2")
    (folder / "bad3").mkdir()
    os.mkfifo(folder / "bad3" / "run.json")
    status, out, err = call("runs list", folder, "--json", where=False)
    rows = json.loads(out)
    assert status == 0
    assert {row["run_id"] for row in rows} == {result.spec.run_id for result in finished.results.values()}
    assert all(row["value"] == pytest.approx(finished.results[row["method"]].scores["H"]) for row in rows)
    assert err.count("\n") == 2
    assert "bad/run.json" in err
    assert "a named pipe" in err
    _, out, _ = call("runs list", folder, "--method", "CoOp", where=False)
    assert run_id(finished, "CoOp")[:12] in out
    assert run_id(finished, "MaPLe")[:12] not in out
    status, out, err = call("runs list", folder, "--data", "tones", where=False)
    assert (status, out) == (1, "")
    assert "no such run" in err
    status, _, err = call("runs list", tmp_path / "nowhere", where=False)
    assert status == 2
    assert "no folder" in err


def test_show_says_what_a_reader_needs(finished: Finished, call: Any) -> None:
    result = finished.results["CoOp"]
    status, out, _ = call("runs show", run_id(finished, "CoOp")[:9], "--runs", finished.runs, where=False)
    assert status == 0
    for said in (
        result.spec.run_id,
        "method.n_ctx",
        "head.balance",
        "training.lr",
        "H",
        "worst first",
        "params_trainable",
        "torch",
    ):
        assert said in out
    _, out, _ = call("runs show", finished.folder("CoOp"), "--json", where=False)
    made = json.loads(out)
    assert made["scores"] == pytest.approx(dict(result.scores))
    for task in TASKS:
        accuracies = [row["accuracy"] for row in made["tasks"][task]["classes"]]
        assert accuracies == sorted(accuracies)
        assert sum(row["n_correct"] for row in made["tasks"][task]["classes"]) == result.counts[task].n_correct
    assert made["spec"] == result.spec.without_places().as_dict()


def test_diff_compares_settings_counts_and_images(finished: Finished, call: Any) -> None:
    one, other = finished.results["CoOp"], finished.results["MaPLe"]
    status, out, _ = call("runs diff", finished.folder("CoOp"), finished.folder("MaPLe"), "--json", where=False)
    made = json.loads(out)
    assert status == 0
    assert made["settings"]["method"] == ["CoOp", "MaPLe"]
    assert made["settings"]["method.n_ctx"] == [4, 2]
    assert made["settings"]["method.depth"] == [None, 2]
    assert "training.lr" not in made["settings"]
    for task in TASKS:
        right = [run.predictions[task].predicted == run.predictions[task].labels for run in (one, other)]
        table = made["mcnemar"][task]
        assert table == {
            "both": int((right[0] & right[1]).sum()),
            "first": int((right[0] & ~right[1]).sum()),
            "second": int((~right[0] & right[1]).sum()),
            "neither": int((~right[0] & ~right[1]).sum()),
        }
        assert made["counts"][task][0] == [one.counts[task].n_correct, one.counts[task].n_total]
        assert table["both"] + table["first"] == one.counts[task].n_correct
    _, out, _ = call("runs diff", finished.folder("CoOp"), finished.folder("MaPLe"), where=False)
    assert "both right" in out
    assert "settings that differ" in out


def test_runs_on_other_images_have_no_common_table(finished: Finished, tmp_path: Path) -> None:
    result = depthub.run(RunSpec(Component("ZeroShot"), data=DataSpec("tones"), backbone=finished.backbone, shots=1), runs=tmp_path)
    compared = compare(finished.results["ZeroShot"], result)
    assert compared.mcnemar == {}
    assert compared.settings["data.name"] == ("folder:pictures", "tones")
    same = compare(result, read(tmp_path / result.spec.run_id))
    assert (same.settings, same.inputs) == ({}, {})


def test_an_edited_prediction_is_refused_by_show_and_diff(finished: Finished, call: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished.folder("CoOp"), tmp_path / "copy"))
    content = bytearray((folder / "predictions.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "predictions.safetensors").write_bytes(content)
    for command in (f"runs show {folder}", f"runs diff {folder} {finished.folder('CoOp')}"):
        status, out, err = call(command, where=False)
        assert (status, out) == (2, "")
        assert "predictions.safetensors is not the file" in err


def test_names_of_others_are_shown_and_not_obeyed(call: Any, tmp_path: Path) -> None:
    evil = "[red]a\x1b[31mb\u202e\nc"
    classes = ClassSet(evil, (0, 1), (evil, "plain"))
    spec = RunSpec(Component(evil, {evil: evil}), protocol=Component(evil), data=DataSpec(evil), training=Training())
    result = RunResult(
        spec,
        {evil: Count(1, 2, ((1, 1, 1), (0, 1, 1)))},
        {evil: 50.0},
        warnings=(evil,),
        summary=Summary(evil),
        tasks={evil: depthub.TestedTask(classes, (), "0" * 64)},
    )
    path = Store(tmp_path).save(result)
    for command in (f"runs list {tmp_path}", f"runs show {path}", f"runs diff {path} {path}"):
        status, out, _ = call(command, where=False)
        assert status == 0
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "[red]a" in out


def test_reading_needs_no_torch(finished: Finished) -> None:
    """The library and the commands that only read."""
    folder = finished.folder("CoOp")
    programs = [
        f"import depthub; r = depthub.read({str(folder)!r}); r.confusion('base'); depthub.results({str(finished.runs)!r}); depthub.Store",
        *(
            f"from depthub.cli import main; assert main({command!r}) == 0"
            for command in (["runs", "list", str(finished.runs)], ["runs", "show", str(folder)], ["runs", "diff", str(folder), str(folder)])
        ),
    ]
    for program in programs:
        subprocess.run(
            [sys.executable, "-c", f"{program}\nimport sys; assert 'torch' not in sys.modules"], check=True, stdout=subprocess.DEVNULL
        )


# tables


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_tables(backend: Any, finished: Finished) -> None:
    runs = results(finished.runs)
    assert len(runs) == len(KINDS)
    scores = runs.to_dataframe(backend)
    columns = {name: list(scores[name]) for name in scores.columns}
    assert columns["run_id"] == [run.spec.run_id for run in runs]
    assert columns["score.H"] == [run.scores["H"] for run in runs]
    assert columns["headline"] == ["H"] * 4
    assert list(scores.columns)[:7] == ["run_id", "method", "head", "protocol", "data", "shots", "seed"]
    depth = dict(zip(columns["method"], columns["method.depth"], strict=True))
    assert depth["MaPLe"] == 2
    assert str(depth["CoOp"]) in ("None", "<NA>")
    assert dict(zip(columns["method"], columns["head.balance"], strict=True))["CoOp"] == 0.7
    tasks = runs.to_dataframe(backend, what="tasks")
    assert len(tasks) == 8
    assert sum(tasks["n_correct"]) == sum(count.n_correct for run in runs for count in run.counts.values())
    classes = runs.to_dataframe(backend, what="classes")
    assert len(classes) == 20
    assert sum(classes["n_correct"]) == sum(tasks["n_correct"])
    assert set(classes["class"]) == set(COLOURS)
    assert list(results([]).to_dataframe(backend).columns) == list(scores.columns)[:7]


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_columns_of_several_types_are_json(backend: Any) -> None:
    values = (1, "one", None, [1, 2], True)
    runs = [RunResult(RunSpec(Component("A", {"x": value, "y": n})), {"t": Count(1, 2)}, {"s": 50}) for n, value in enumerate(values)]
    table = results(runs).to_dataframe(backend)
    written = list(table["method.x"])
    assert [json.loads(one) for one in written if isinstance(one, str)] == [1, "one", [1, 2], True]
    assert list(table["method.y"]) == [0, 1, 2, 3, 4]
    assert list(table["score.s"]) == [50.0] * 5


def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(DepthubError, match=r"polars is not installed; pip install 'depthub\[dataframe\]'"):
        results([]).to_dataframe("polars")
    with pytest.raises(DepthubError, match="expected one of scores, tasks, classes; did you mean 'scores'"):
        results([]).to_dataframe(what="score")  # type: ignore[arg-type]
    with pytest.raises(DepthubError, match="expected one of pandas, polars"):
        results([]).to_dataframe("panda")  # type: ignore[arg-type]


def test_a_bad_file_is_left_out_with_a_warning(finished: Finished, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished.runs, tmp_path / "runs"))
    (folder / "bad").mkdir()
    (folder / "bad" / "run.json").write_text("{")
    with pytest.warns(UserWarning, match="left out: .*bad/run.json"):
        runs = results(folder)
    assert (len(runs), len(runs.left_out)) == (4, 1)
    assert isinstance(results(runs), Results)
    assert [run.spec.run_id for run in results(str(finished.folder("CoOp")))] == [run_id(finished, "CoOp")]
    assert len(results(finished.results["CoOp"])) == 1  # type: ignore[arg-type]
    for wrong in (3, [finished.runs]):
        with pytest.raises(DepthubError, match="expected results, or the path of a folder of runs"):
            results(wrong)  # type: ignore[arg-type]
    with pytest.raises(DepthubError, match="no folder"):
        results(tmp_path / "none")
