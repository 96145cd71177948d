"""Finished runs: the time to read a thousand run files, and to answer a command line of finished runs."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

import depthub
from benchmarks.bench_startup import DEPTHUB
from benchmarks.measure import Benchmark
from depthub.records.store import Store

RUNS = 1000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A run with a thousand seeds, each with its predictions."""
    first = depthub.run(depthub.RunSpec(method="ZeroShot", data="digits"), runs=tmp_path_factory.mktemp("first"))
    assert first.folder is not None
    files = {path.name: path.read_bytes() for path in first.folder.glob("*.safetensors")}
    store = Store(tmp_path_factory.mktemp("runs"))
    for seed in range(RUNS):
        store.save(replace(first, spec=replace(first.spec, seed=seed), folder=None), files)
    return store


@pytest.mark.parametrize("recount", [False, True], ids=["listed", "recounted"])
def test_reading(benchmark: Benchmark, store: Store, recount: bool) -> None:
    what = "with their predictions recounted" if recount else "checked"
    benchmark.extra_info["case"] = f"{RUNS} run files, {what}"
    outcomes = benchmark.pedantic(lambda: list(store.scan(recount=recount)), rounds=3)
    assert len(outcomes) == RUNS
    assert not any(isinstance(outcome, Exception) for outcome in outcomes)
    benchmark.extra_info["ours_ms"] = 1e3 * benchmark.stats.stats.median


def test_already_done(benchmark: Benchmark, tmp_path: Path) -> None:
    command = [DEPTHUB, "run", "--method", "ZeroShot", "--data", "tones", "--runs", str(tmp_path / "runs")]
    env = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"} | {"DEPTHUB_CACHE": str(tmp_path / "cache")}

    def run() -> str:
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    time.sleep(2)  # files that have just changed are read again
    run()
    benchmark.extra_info["case"] = "`depthub run` of what is done already"
    assert "already done" in benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    benchmark.extra_info["ours_ms"] = 1e3 * benchmark.stats.stats.median
