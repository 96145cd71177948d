"""Suites: what a hundred tiny runs cost beside their training and testing, by executor; and the plan of ten thousand finished runs.

`python -m benchmarks.suites [EXECUTOR ...]` prints a table. Slurm and Ray are measured where they are: `SLURM_CONF` names the first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter

import psutil

import depthub
from depthub.records.store import Store
from depthub.running.resolving import Resolver
from depthub.suites.reading import read_suite

BOARD = "{protocol: BaseToNew, data: [tones], shots: 2, seeds: [%s], training: {epochs: 1}}"
ROWS = "rows: [{method: CoOp, head: [ITM, {name: DePT, balance: [%s]}]}]"
EXECUTORS = {
    "Local, 1 process": ["--executor", "Local", "--executor.workers", "1"],
    "Local, 2 processes": ["--executor", "Local", "--executor.workers", "2"],
    "Slurm, 2 jobs": ["--executor", "Slurm", "--executor.cpus", "1", "--executor.memory_gb", "1.5", "--executor.max_jobs", "2"],
    "Ray, 2 tasks": ["--executor", "Ray"],
}
COSTS = ("encode_s", "train_s", "eval_s")


def write(folder: Path, name: str, seeds: int, balances: int) -> str:
    """A suite of `seeds` times `balances + 1` runs; returns the name of its file."""
    board = BOARD % ", ".join(map(str, range(1, seeds + 1)))
    (folder / name).write_text(f"board: {board}\n{ROWS % ', '.join(str(i / balances) for i in range(1, balances + 1))}\n")
    return name


def overhead(executor: str) -> str:
    """A row of the table: the seconds of a hundred tiny runs by an executor."""
    with TemporaryDirectory() as name, _python_processes() as processes:
        folder = Path(name)
        words = [write(folder, "tiny.yaml", 25, 3), *EXECUTORS[executor], "--stack", "auto"]
        start = perf_counter()
        subprocess.run([sys.executable, "-m", "depthub", "suite", "run", *words], cwd=folder, check=True, capture_output=True)
        seconds = perf_counter() - start
        runs = list(Store(folder / "runs").results())
        work = sum(run.cost[cost] for run in runs for cost in COSTS)
    slots = 1 if "1" in executor else 2
    return f"| {executor} | {seconds:.1f} | {work:.1f} | {1000 * (slots * seconds - work) / len(runs):.0f} | {len(processes)} |"


def planning(number: int = 10_000) -> str:
    """The seconds of `depthub suite plan` where all runs are done."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        suite = folder / write(folder, "many.yaml", 100, number // 100 - 1)
        specs, resolver = read_suite(str(suite)).specs(), Resolver()
        # a result for each head: the recorded code differs
        results = {
            head: depthub.run(next(spec for spec in specs if spec.head.name == head), runs=folder / head) for head in ("ITM", "DePT")
        }
        for spec in specs:
            Store(folder / "runs").save(replace(results[spec.head.name], spec=resolver(spec).spec, predictions={}, files={}, folder=None))
        start = perf_counter()
        command = [sys.executable, "-m", "depthub", "suite", "plan", str(suite), "--runs", str(folder / "runs"), "--json"]
        planned = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        assert planned["states"] == {"done": len(specs)}, planned["states"]
        return f"{len(specs):,} finished runs: planned in {perf_counter() - start:.1f} s, start-up included"


@contextmanager
def _python_processes() -> Iterator[set[int]]:
    """The processes that begin during the block and load torch, by their size: those of depthub, whatever started them."""
    before, begun, ended = set(psutil.pids()), set[int](), Event()

    def look() -> None:
        while not ended.wait(0.2):
            begun.update(pid for pid in set(psutil.pids()) - before if _has_torch(pid))

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield begun
    finally:
        ended.set()
        thread.join()


def _has_torch(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return "python" in process.exe() and any("libtorch" in file.path for file in process.memory_maps())
    except psutil.Error:
        return False


if __name__ == "__main__":
    print("| executor | wall [s] | training, testing, encoding [s] | overhead a run [ms] | processes with torch |\n|---|--:|--:|--:|--:|")
    for executor in sys.argv[1:] or EXECUTORS:
        print(overhead(executor), flush=True)
    print(planning())
