"""`depthub run` as a user types it, on real models and pictures."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from pathlib import Path

import pytest

from depthub.cli import main
from tests.models import write_backbone, write_pictures
from tests.processes import needs_proc, started, wait_until

COMMAND = (sys.executable, "-m", "depthub")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_pictures(folder / "colours")
    write_backbone(folder / "model")
    return folder


def arguments(small: Path, runs: Path, *more: str) -> list[str]:
    options = {
        "--data": f"folder:{small / 'colours'}",
        "--backbone.model": str(small / "model/tiny_clip.json"),
        "--backbone.pretrained": str(small / "model/tiny_clip.safetensors"),
        "--training.epochs": "2",
        "--shots": "4",
        "--runs": str(runs),
    }
    return ["run", *(word for option, value in options.items() if option not in more for word in (option, value)), *more]


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
        (["--data", "UNREADABLE"], "test/red/0.png: it is a web page"),
        (["--method.n_ctx", "60"], "a context of 60 tokens, expected 1 to 40"),
        (["--backbone.model", "ViT-B-61"], "unknown backbone 'ViT-B-61'; did you mean 'ViT-B-16'?"),
        (["--backbone.model", "ViT-B-16-SigLIP", "--backbone.pretrained", "webli"], "text tower takes no learned tokens"),
        (["--backbone.model", "ViT-B-16", "--backbone.pretrained", "openai"], "use 'ViT-B-16-quickgelu'"),
        (["--backbone.model", "ViT-B-32"], "cannot load tiny_clip.safetensors: it is a safetensors file with 86 tensors"),
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


def _trains(runs: Path) -> bool:
    return any(runs.glob("*/tuned-0.safetensors"))


ENDS = [
    (signal.SIGINT, 130, "depthub: interrupted"),
    (signal.SIGTERM, 143, "depthub: terminated; the same command may be given again"),
    (signal.SIGHUP, 129, "depthub: its terminal was closed; the same command may be given again"),
]


@pytest.mark.parametrize(("number", "status", "says"), ENDS)
def test_a_signal_ends_a_run_and_leaves_nothing_half_written(
    number: signal.Signals, status: int, says: str, small: Path, tmp_path: Path
) -> None:
    with started(*COMMAND, *arguments(small, tmp_path, "--training.epochs", "100000")) as child:
        child.wait_until(lambda: _trains(tmp_path), "a first checkpoint")
        child.send(number)
        assert child.status() == status
        assert child.err.splitlines()[-1] == says
        assert "Traceback" not in child.err
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["history.jsonl", "tuned-0.safetensors"]


def test_what_is_ignored_from_the_start_stays_ignored(small: Path, tmp_path: Path) -> None:
    ignored = (signal.SIGINT, signal.SIGHUP)
    with started(*COMMAND, *arguments(small, tmp_path, "--training.epochs", "100000"), ignored=ignored) as child:
        child.wait_until(lambda: _trains(tmp_path), "a first checkpoint")
        for number in (*ignored, signal.SIGTERM):
            child.send(number)
        assert child.status() == 143
        assert child.err.splitlines()[-1] == ENDS[1][2]


@needs_proc
@pytest.mark.parametrize("everyone", [True, False], ids=["to all processes", "to the first"])
@pytest.mark.parametrize(("number", "status", "says"), ENDS)
def test_a_signal_ends_the_workers_too(number: signal.Signals, status: int, says: str, everyone: bool, small: Path, tmp_path: Path) -> None:
    workers = ["--seeds", "1", "2", "--executor", "Local", "--executor.workers", "2"]
    with started(*COMMAND, *arguments(small, tmp_path, "--training.epochs", "100000", *workers)) as child:
        child.wait_until(lambda: len(list(tmp_path.glob("*/tuned-0.safetensors"))) == 2, "two checkpoints")
        (child.send_all if everyone else child.send)(number)
        assert child.status() == status
        assert child.err.splitlines()[-1] == says
        assert "Traceback" not in child.err
        wait_until(lambda: child.members() == [], "the end of the workers")
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["history.jsonl"] * 2 + ["tuned-0.safetensors"] * 2
