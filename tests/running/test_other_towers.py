"""Runs on text towers that take no learned tokens: what reads features works, what learns tokens is refused before its training."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

import depthub
from depthub.cli import main
from depthub.spec import BackboneSpec
from tests.models import COLOURS, write_pictures
from tests.other_towers import write_hugging_face, write_siglip

SPLIT = {"base": sorted(COLOURS)[:3], "new": sorted(COLOURS)[3:]}
MODELS: dict[str, Callable[[Path], BackboneSpec]] = {
    "siglip": write_siglip,
    "roberta": lambda folder: write_hugging_face(folder, "roberta"),
}


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, and a model with its configuration as a file of its own."""
    place: Path = tmp_path_factory.mktemp(request.param)
    write_pictures(place / "colours")
    MODELS[request.param](place / "model")
    for name, source in (("someone/siglip", "model"), ("words", "model")):  # the tokenizer, by the name that the configuration has for it
        (place / name).mkdir(parents=True)
        for file in (place / source).glob("token*"):
            shutil.copy(file, place / name)
    shutil.copy(place / "model/open_clip_config.json", place / "config.json")
    return place


def words(folder: Path, runs: Path, *more: str) -> list[str]:
    model = ["--backbone.model", str(folder / "config.json"), "--backbone.pretrained", str(folder / "model/open_clip_model.safetensors")]
    return ["run", "--data", f"folder:{folder / 'colours'}", *model, "--shots", "2", "--training.epochs", "1", "--runs", str(runs), *more]


@torch.no_grad()
def right(folder: Path, names: list[str]) -> int:
    """How many test pictures open_clip's own model gives the right one of these names."""
    model, tokenizer = (make(f"local-dir:{folder / 'model'}") for make in (open_clip.create_model, open_clip.get_tokenizer))
    visual = model.eval().visual
    transform = open_clip.image_transform(visual.image_size, is_train=False, mean=visual.image_mean, std=visual.image_std)
    text = F.normalize(model.encode_text(tokenizer([f"a photo of a {name}." for name in names])), dim=-1)
    correct = 0
    for label, name in enumerate(names):
        pixels = torch.stack([transform(Image.open(path)) for path in sorted((folder / "colours/test" / name).iterdir())])
        correct += int(((model.encode_image(pixels) @ text.T).argmax(dim=-1) == label).sum())
    return correct


def test_zero_shot_has_open_clips_own_counts(folder: Path, tmp_path: Path) -> None:
    assert main(words(folder, tmp_path, "--method", "ZeroShot")) == 0
    (result,) = depthub.results(tmp_path)
    assert {name: (count.n_correct, count.n_total) for name, count in result.counts.items()} == {
        task: (right(folder, names), 5 * len(names)) for task, names in SPLIT.items()
    }


def test_what_reads_features_or_learns_in_the_image_tower_works(folder: Path, tmp_path: Path) -> None:
    assert main(words(folder, tmp_path, "--method", "ZeroShot", "--head", "DePT", "--seeds", "1", "2")) == 0  # one stack
    assert main(words(folder, tmp_path, "--method", "VPT", "--method.depth", "2")) == 0
    assert len(depthub.results(tmp_path)) == 3


@pytest.mark.parametrize(
    "method", ["CoOp", "CoCoOp", "KgCoOp", "ProGrad", "MaPLe", "PromptSRC", "DeepLanguage", "IndependentVL", "SkipTuning"]
)
def test_what_learns_in_the_text_tower_is_refused(method: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(folder, tmp_path, "--method", method)) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("depthub: error: this backbone's text tower takes no learned tokens and no changes: it ")
    assert last.endswith("use a method that reads its features alone (zero-shot, linear heads, adapters), or another backbone")
    assert not list(tmp_path.rglob("run.json"))
    assert not list(tmp_path.rglob("*.safetensors"))
