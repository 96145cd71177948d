"""A small suite, and `depthub suite run` of it in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TIMES = ("train_s", "eval_s", "inputs_sha256")
SUITE = """
board: {protocol: BaseToNew, data: [tones], seeds: [1, 2], training: {epochs: 2}, reference: [{method: ZeroShot}]}
rows: [{method: [CoOp, KgCoOp], head: [ITM, {name: DePT, balance: [0.5, 0.7]}]}]
controls: true
"""
LONGEST = 1800.0  # seconds: only a suite that hangs takes so long, on any machine
RUNS = (1 + 2 * 4) * 2


def write_suite(folder: Path) -> Path:
    """Write the suite; returns its folder, where the commands are to run."""
    (folder / "mini.yaml").write_text(SUITE)
    return folder


def command(place: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "depthub", "suite", "run", "mini.yaml", "--runs", "runs", "--out", "board", *more]


def carried_out(place: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(place, *more), cwd=place, capture_output=True, text=True, timeout=LONGEST, check=False)


def without_times(value: Any) -> Any:
    """A leaderboard without what differs from execution to execution."""
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in TIMES}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def board(place: Path) -> Any:
    return without_times(json.loads((place / "board/leaderboard.json").read_text()))
