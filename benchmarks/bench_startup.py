"""Start-up times of commands and imports; `import torch` is the floor for commands that compute."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from benchmarks.measure import Benchmark

DEPTHUB = str(Path(sysconfig.get_path("scripts"), "depthub"))
COMMANDS = {
    "`depthub --help`": [DEPTHUB, "--help"],
    "`depthub plugins --help`": [DEPTHUB, "plugins", "--help"],
    "`import depthub`": [sys.executable, "-c", "import depthub"],
    "`import torch`": [sys.executable, "-c", "import torch"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_startup(benchmark: Benchmark, name: str) -> None:
    benchmark.extra_info["case"] = f"start-up: {name}"
    benchmark.pedantic(
        subprocess.run, args=(COMMANDS[name],), kwargs={"check": True, "stdout": subprocess.DEVNULL}, rounds=5, warmup_rounds=1
    )
    benchmark.extra_info["ours_ms"] = 1e3 * benchmark.stats.stats.median
