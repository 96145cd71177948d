"""The quickstart: what it runs, where, and how it goes on after an interruption."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from depthub import boards
from depthub.cli import main, quickstart_runs
from depthub.cli.commands import quickstart
from depthub.errors import DepthubError
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.spec import RunSpec, Training
from tests.models import write_backbone, write_pictures
from tests.processes import needs_proc, started, wait_until


def test_quickstart_specs() -> None:
    made = quickstart_runs.specs(["tones", "flags"], [1, 2, 2], None)
    assert len(made) == len({s.run_id for s in made}) == 12
    assert {s.training for s in quickstart_runs.specs(["tones"], [1], 3)} == {Training(epochs=3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that what one test ran is there for the next."""
    return tmp_path_factory.mktemp("quickstart")


@pytest.fixture
def small(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Quickstart's command line, on a small random model and pictures on disk."""
    data, backbone = write_pictures(folder / "colours"), write_backbone(folder / "model")
    plain = quickstart_runs.specs
    monkeypatch.setattr(quickstart_runs, "specs", lambda *given: [replace(s, data=data, backbone=backbone, shots=2) for s in plain(*given)])
    places = ["--runs", str(folder / "runs"), "--out", str(folder / "out")]
    return lambda *names: ["quickstart", "--epochs", "1", "--seeds", "1", "--workers", "1", *places, "--datasets", *names]


def test_quickstart_continues_after_an_interruption(
    small: Callable[..., list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save, saved = Store.save, []

    def interrupted(self: Store, made: RunResult, files: Mapping[str, bytes] | None = None) -> Path:
        saved.append(made)
        if len(saved) == 2:
            raise KeyboardInterrupt
        return save(self, made, files)

    monkeypatch.setattr(Store, "save", interrupted)
    assert main(small("tones")) == 130
    assert "stopped with 2 runs to do" in capsys.readouterr().err
    assert main(small("tones")) == 0
    assert len(saved) == 4
    out, err = capsys.readouterr()
    for words in ("ZeroShot", "CoOp + DePT", "cannot be compared with published", "quickstart.png", "H is the harmonic mean of"):
        assert words in " ".join(out.split())
    assert [line.split()[0] for line in err.splitlines() if "colours" in line] == ["1/3", "2/3", "3/3"]
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["leaderboard.json", "leaderboard.md", "quickstart.png"]
    made = json.loads((folder / "out/leaderboard.json").read_text())
    assert sorted(row["label"] for row in made["rows"]) == ["CoOp", "CoOp + DePT", "ZeroShot"]
    assert [row["label"] for row in made["rows"] if row["untrained"]] == ["ZeroShot"]
    again = boards.of_folder(folder / "runs", "")
    assert {key: made[key] for key in ("rows", "settings", "inputs_sha256")} == {
        key: again[key] for key in ("rows", "settings", "inputs_sha256")
    }


def test_quickstart_without_optional_packages(
    small: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quickstart, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(small("tones", "digits")) == 0
    said = capsys.readouterr().out
    assert "data set 'digits' is left out" in said
    assert "no picture" in said
    assert main(small("digits")) == 2


@pytest.fixture(scope="module")
def two(folder: Path) -> list[RunSpec]:
    """Every method with two seeds on two data sets."""
    backbone = write_backbone(folder / "model")
    sets = [write_pictures(folder / "five"), write_pictures(folder / "four", classes=4)]
    plain = quickstart_runs.specs(["tones"], [1, 2], 2)
    return [replace(spec, data=data, backbone=backbone, shots=2) for data in sets for spec in plain]


def measured(results: Sequence[RunResult]) -> list[Any]:
    """What must not depend on where runs go."""
    return [(run.spec.run_id, dict(run.counts), dict(run.scores)) for run in results]


def test_processes_give_the_counts_of_one_and_train_runs_together(two: list[RunSpec], tmp_path: Path) -> None:
    here = quickstart_runs.run_all(two, tmp_path / "here", 1)
    there = quickstart_runs.run_all(two, tmp_path / "there", 2)
    assert measured(here) == measured(there)
    assert max(run.provenance["execution"].get("stacked", 1) for run in there) > 1
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "there").rglob("run.json")}
    assert measured(quickstart_runs.run_all(two, tmp_path / "there", 2)) == measured(there)
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_failures_in_processes_are_told_and_the_rest_is_kept(two: list[RunSpec], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    diverging = Training(epochs=8, lr=9e5, weight_decay=9e5, warmup_epochs=0)
    specs = [replace(spec, training=diverging) if spec.method.name != "ZeroShot" and spec.data == two[0].data else spec for spec in two]
    with pytest.raises(DepthubError):
        quickstart_runs.run_all(specs, tmp_path, 2)
    failures = [line for line in capfd.readouterr().err.splitlines() if "failed" in line]
    assert len(failures) == 4
    assert all(line.startswith("depthub: CoOp") and "five" in line for line in failures)
    assert len(list(tmp_path.glob("*/run.json"))) == len(specs) - 4


@needs_proc
def test_an_interruption_ends_the_processes_too(tmp_path: Path) -> None:
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    command = ["-m", "depthub", "quickstart", "--datasets", "tones", "flags", "--seeds", *map(str, range(1, 9)), "--workers", "2", *places]
    with started(sys.executable, *command) as child:
        child.wait_until(lambda: len(list((tmp_path / "runs").glob("*/run.json"))) > 0, "a finished run")
        child.send_all(signal.SIGINT)
        assert child.status() == 130
        assert "the same command continues" in child.err
        wait_until(lambda: not child.members(), "the end of its processes")
    assert not (tmp_path / "out").exists()
