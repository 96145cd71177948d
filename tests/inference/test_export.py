"""Exported classifiers and prompts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import depthub
from depthub.inference.export import export_classifier, export_prompts
from depthub.spec import Component, RunSpec, Training
from tests.finished import Finished


@pytest.mark.parametrize("method", ["CoOp", "MaPLe", "ZeroShot"])
def test_an_exported_classifier_gives_the_classifiers_scores(method: str, finished: Finished, call: Any, tmp_path: Path) -> None:
    status, out, err = call("export", finished.run_id(method), "--out", tmp_path, "--task", "base", "--images", finished.pictures / "test")
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
    assert [len(of_class) for of_class in near] == [2] * 5


def test_prompts_of_the_image_tower_alone_have_no_words(finished: Finished, tmp_path: Path) -> None:
    method = Component("VPT", {"depth": 2, "n_ctx": 3})
    spec = RunSpec(method, data=finished.data, backbone=finished.backbone, shots=1, training=Training(epochs=1))
    tensors, words = export_prompts(depthub.load(depthub.run(spec, runs=tmp_path)), tmp_path)
    assert {name: list(value.shape) for name, value in load_file(tensors).items()} == {"image.0": [3, 48], "image.1": [3, 48]}
    assert json.loads(words.read_text())["nearest_words"] == []


def test_what_depends_on_the_image_is_not_exported(finished: Finished, call: Any, tmp_path: Path) -> None:
    status, out, err = call("export", finished.run_id("CoCoOp"), "--out", tmp_path / "out")
    assert (status, out) == (2, "")
    assert "the text features of CoCoOp depend on the image" in err
    assert not (tmp_path / "out").exists()
