"""Suites at work: killed and resumed, shared by schedulers, with damaged files; and what is left afterwards."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from depthub.records import failures
from depthub.records.store import FILE, Store
from depthub.running.garbage import collect, leftovers
from depthub.suites.manifest import Manifest, status
from tests.processes import needs_proc

TIMES = ("train_s", "eval_s", "inputs_sha256")
SUITE = """
board: {protocol: BaseToNew, data: [tones], seeds: [1, 2], training: {epochs: 2}, reference: [{method: ZeroShot}]}
rows: [{method: [CoOp, KgCoOp], head: [ITM, {name: DePT, balance: [0.5, 0.7]}]}]
controls: true
"""
RUNS = (1 + 2 * 4) * 2


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "mini.yaml").write_text(SUITE)
    return tmp_path


def command(place: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "depthub", "suite", "run", "mini.yaml", "--runs", "runs", "--out", "board", *more]


def carried_out(place: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(place, *more), cwd=place, capture_output=True, text=True, timeout=300, check=False)


def without_times(value: Any) -> Any:
    """A leaderboard without what differs from execution to execution."""
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in TIMES}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def board(place: Path) -> Any:
    return without_times(json.loads((place / "board/leaderboard.json").read_text()))


@needs_proc
def test_killed_at_any_moment_it_ends_like_an_undisturbed_one(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    draw, written = random.Random(0), dict[Path, int]()
    for _ in range(4):
        child = subprocess.Popen(command(place), cwd=place, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            child.wait(draw.uniform(6, 14))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        finished = {path: path.stat().st_mtime_ns for path in place.glob(f"runs/*/{FILE}")}
        assert {path: finished[path] for path in written} == written, "a finished run was done again"
        written = finished
    ended = carried_out(place)
    assert ended.returncode == 0, ended.stderr
    assert len(list(place.glob(f"runs/*/{FILE}"))) == RUNS
    collect(place / "runs", list(leftovers(place / "runs", unfinished=True)))
    assert sorted(path.name for path in (place / "runs").iterdir() if path.name.startswith(".")) == [".suites"]
    assert list(place.glob("runs/*/.*")) == []
    undisturbed = tmp_path_factory.mktemp("undisturbed")
    (undisturbed / "mini.yaml").write_text(SUITE)
    assert carried_out(undisturbed).returncode == 0
    assert board(place) == board(undisturbed)


@needs_proc
def test_schedulers_share_a_store(place: Path) -> None:
    children = [
        subprocess.Popen(command(place), cwd=place, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    end = time.monotonic() + 120
    while not list(place.glob(f"runs/*/{FILE}")) and time.monotonic() < end:
        time.sleep(0.1)
    os.killpg(children[0].pid, signal.SIGKILL)
    outputs = [child.communicate(timeout=300)[1] for child in children]
    assert [child.returncode for child in children[1:]] == [0, 0], outputs
    results = list(Store(place / "runs").results())
    assert len(results) == RUNS
    assert list(place.glob("runs/*/earlier-*")) == []
    state = status(Manifest.named(place / "runs", "mini"), place / "runs")
    assert (state["runs"], state["done"], state["failed"], state["left"]) == (RUNS, RUNS, 0, 0)


def test_what_is_damaged_is_set_aside_and_what_failed_is_not_repeated(place: Path) -> None:
    first = carried_out(place)
    assert first.returncode == 0, first.stderr
    before = board(place)
    cut, edited, *_ = sorted(place.glob(f"runs/*/{FILE}"))
    cut.write_bytes(cut.read_bytes()[:1000])
    edited.write_text(edited.read_text().replace('"n_correct": ', '"n_correct": 1', 1))
    again = carried_out(place)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("set aside") == 2
    assert len(list(place.glob("runs/.damaged/*"))) == 2
    assert board(place) == before
    # a failure with the same code and data stays one, until it is asked for
    result = Store(place / "runs").named(cut.parent.name)
    failed = json.loads((cut.parent / FILE).read_text())
    inputs = failures.fingerprint(failed["provenance"]["inputs"])
    cut.unlink()
    failures.write(cut.parent, failures.Failure(result.spec.run_id, "diverged", "DepthubError", "the loss is nan", epoch=2, inputs=inputs))
    third = carried_out(place)
    assert third.returncode == 1
    assert "the loss is nan" in third.stderr
    assert not cut.exists()
    assert carried_out(place, "--retry-failed").returncode == 0
    assert board(place) == before
    assert not (cut.parent / failures.FILE).exists()
