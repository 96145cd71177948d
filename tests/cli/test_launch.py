"""`depthub launch`: processes that share a run, with the steps, rates and counts of one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import depthub
from depthub.cli import main
from depthub.records.entries import HISTORY
from tests.models import write_backbone, write_pictures
from tests.processes import LIMIT, needs_proc, started

SHORT = ["--training.epochs", "3"]
METHODS = {"CoOp": ["--method", "CoOp"], "MaPLe": ["--method", "MaPLe", "--method.depth", "2"]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A command line of `depthub run` on a small model and small pictures."""
    folder = tmp_path_factory.mktemp("small")
    data, backbone = write_pictures(folder / "colours"), write_backbone(folder / "model")
    model = ["--backbone.model", backbone.model, "--backbone.pretrained", backbone.pretrained]
    recipe = ["--training.batch_size", "4", "--shots", "3"]
    return ["run", "--head", "DePT", "--data", data.name, *model, *recipe]


def depthub_command(*words: str) -> list[str]:
    return [sys.executable, "-m", "depthub", *words]


def course(runs: Path, run_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (runs / run_id / HISTORY).read_text().splitlines()]


@needs_proc
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_give_what_one_gives(method: str, run: list[str], tmp_path: Path) -> None:
    for place, words in (("alone", []), ("shared", ["launch", "-n", "2"])):
        command = depthub_command(*words, *run, *METHODS[method], *SHORT, "--runs", str(tmp_path / place))
        ended = subprocess.run(command, capture_output=True, text=True, timeout=2 * LIMIT, check=False)
        assert ended.returncode == 0, ended.stderr
    (alone,), (shared,) = (depthub.results(tmp_path / place) for place in ("alone", "shared"))
    assert (alone.provenance["execution"]["world_size"], shared.provenance["execution"]["world_size"]) == (1, 2)
    assert shared.spec == alone.spec
    assert shared.counts == alone.counts
    lines = [course(tmp_path / place, alone.spec.run_id) for place in ("alone", "shared")]
    assert [(line["epoch"], line["rates"]) for line in lines[0]] == [(line["epoch"], line["rates"]) for line in lines[1]]
    assert [line["loss"] for line in lines[0]] == pytest.approx([line["loss"] for line in lines[1]], rel=1e-4)


@needs_proc
def test_an_interruption_ends_all_processes(run: list[str], tmp_path: Path) -> None:
    command = depthub_command("launch", "-n", "2", *run, "--training.epochs", "2000", "--runs", str(tmp_path / "runs"))
    with started(*command) as launched:
        launched.wait_until(lambda: list(tmp_path.glob(f"runs/*/{HISTORY}")), "an epoch")
        launched.send(signal.SIGINT)
        assert launched.status() == 130, launched.err
        assert launched.err.splitlines()[-1] == "depthub: interrupted"
        assert launched.members() == []


@needs_proc
def test_a_failure_has_the_status_of_the_process_that_failed(run: list[str], tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder of runs should be")
    command = depthub_command("launch", "-n", "2", *run, *SHORT, "--runs", str(tmp_path / "runs"))
    ended = subprocess.run(command, capture_output=True, text=True, timeout=2 * LIMIT, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "missing: run; expected for example `depthub launch -n 2 run --data tones`"),
        (["-n", "-1", "run"], "-n is -1, expected 1 or more processes"),
        (["-n", "2", "quickstart"], "unexpected argument 'quickstart'; `depthub launch --help` lists the options"),
        (["-n", "2", "run", "--shots", "many"], "--shots: got 'many', expected int"),
    ],
)
def test_mistakes_are_said_once_before_anything_starts(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    assert main(["launch", *words]) == 2
    assert [line for line in capsys.readouterr().err.splitlines() if "error" in line] == [f"depthub: error: {says}"]


def test_a_process_of_a_launch_does_not_launch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert main(["launch", "run"]) == 2
    assert "this process is one of several already" in capsys.readouterr().err
