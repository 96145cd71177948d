"""`depthub run` as a user types it, on real models and pictures."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from depthub.cli import main
from tests.models import write_backbone, write_pictures


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_pictures(folder / "colours")
    write_backbone(folder / "model")
    return folder


def arguments(small: Path, runs: Path, *more: str) -> list[str]:
    model = ["--backbone.model", str(small / "model/tiny_clip.json"), "--backbone.pretrained", str(small / "model/tiny_clip.safetensors")]
    return ["run", "--data", f"folder:{small / 'colours'}", *model, "--training.epochs", "2", "--shots", "4", "--runs", str(runs), *more]


def test_runs_end_with_a_table_and_are_found_again(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = arguments(small, tmp_path, "--head", "DePT", "--head.cat.bias", "false", "--seeds", "1", "2")
    assert main(line) == 0
    first = capsys.readouterr().out
    assert "base" in first
    assert "±" in first
    files = sorted(tmp_path.glob("*/run.json"))
    assert [json.loads(f.read_text())["spec"]["head"]["settings"]["cat"]["settings"]["bias"] for f in files] == [False, False]
    assert main([*line, "--executor", "Local", "--executor.workers", "2"]) == 0
    assert capsys.readouterr().out.count("already done") == 2
    assert main([*line, "--force"]) == 0
    assert "already done" not in capsys.readouterr().out


def test_scarce_classes_are_named_once(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(small, tmp_path, "--shots", "7", "--seeds", "1", "2")) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("depthub: warning: fewer than 7")]
    assert warnings == ["depthub: warning: fewer than 7 training images, all are used: blue (6), gray (6), green (6)"]


def test_workers_give_the_counts_of_one_process(small: Path, tmp_path: Path) -> None:
    seeds = ["--seeds", "1", "2", "3"]
    assert main(arguments(small, tmp_path / "here", *seeds)) == 0
    assert main(arguments(small, tmp_path / "there", *seeds, "--executor", "Local", "--executor.workers", "2")) == 0
    here, there = (
        {f.parent.name: json.loads(f.read_text())["measurements"] for f in (tmp_path / p).glob("*/run.json")} for p in ("here", "there")
    )
    assert here == there
    assert len(here) == 3


def _without(small: Path, tmp_path: Path, missing: str) -> str:
    shutil.copytree(small / "colours", tmp_path / "pictures", dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "pictures" / missing)
    (tmp_path / "pictures" / missing).mkdir()
    return f"folder:{tmp_path / 'pictures'}"


def _with_unreadable(small: Path, tmp_path: Path) -> str:
    shutil.copytree(small / "colours", tmp_path / "pictures", dirs_exist_ok=True)
    (tmp_path / "pictures/test/red/0.png").write_text("<html>")
    return f"folder:{tmp_path / 'pictures'}"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--data", "tonez"], "unknown data set 'tonez'; did you mean 'tones'?"),
        (["--data", "folder:/nowhere"], "no folder /nowhere; expected train/<class>/*"),
        (["--data", "EMPTY"], "class folders without images in"),
        (["--data", "UNREADABLE"], "test/red/0.png: cannot identify image file"),
        (["--method.n_ctx", "60"], "the prompt of class 'blue' has 64 tokens, the text tower reads 40"),
        (["--backbone.model", "ViT-B-61"], "unknown backbone 'ViT-B-61'; did you mean 'ViT-B-16'?"),
        (["--backbone.model", "ViT-B-16-SigLIP", "--backbone.pretrained", "webli"], "cannot be tuned with prompts"),
        (["--backbone.model", "ViT-B-16", "--backbone.pretrained", "openai"], "use 'ViT-B-16-quickgelu'"),
        (["--backbone.model", "ViT-B-32"], "cannot load ViT-B-32 with weights"),
    ],
)
def test_mistakes_cost_one_line_and_leave_nothing(
    small: Path, tmp_path: Path, more: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {"EMPTY": lambda: _without(small, tmp_path, "train/red"), "UNREADABLE": lambda: _with_unreadable(small, tmp_path)}
    more = [made[word]() if word in made else word for word in more]
    assert main(arguments(small, tmp_path / "runs", *more)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert says in error
    assert error.startswith("depthub: error: ")
    assert not list((tmp_path / "runs").rglob("*.json"))


def test_ctrl_c_ends_at_once_and_leaves_nothing_half_written(small: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "depthub", *arguments(small, tmp_path, "--training.epochs", "100000")]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("*/tuned-0.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.strip().splitlines()[-1] == "depthub: interrupted"
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["tuned-0.safetensors"]
