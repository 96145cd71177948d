"""A suite killed again and again: what remains must be what an undisturbed execution leaves.

`python -m benchmarks.kill [KILLS]` carries out 70 runs, stacked and alone, kills the process group with SIGKILL at random moments (25 by
default), resumes each time, and compares the leaderboard with that of an undisturbed execution, byte for byte but for times.
"""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from depthub.records.store import FILE
from depthub.running.garbage import collect, leftovers
from tests.processes import started
from tests.suites.commands import board

SUITE = """
board: {protocol: BaseToNew, data: [tones, flags], seeds: [1, 2, 3, 4, 5], shots: 4, training: {epochs: 5}, reference: [{method: ZeroShot}]}
rows: [{method: [CoOp, {name: MaPLe, depth: 3}], head: [ITM, {name: DePT, balance: 0.5}]}]
controls: true
"""  # CoOp's runs train together, those of MaPLe alone
LONGEST = 16.0  # seconds until a kill


def command(*more: str) -> list[str]:
    return [sys.executable, "-m", "depthub", "suite", "run", "kill.yaml", "--runs", "runs", "--out", "board", *more]


def killed(folder: Path, kills: int) -> list[str]:
    """Carry the suite out with kills; a line for each, with the runs finished by then."""
    draw, written, lines = random.Random(0), dict[Path, int](), list[str]()
    for number in range(1, kills + 1):
        seconds = draw.uniform(0, LONGEST)
        with started(*command(), cwd=folder) as child, suppress(subprocess.TimeoutExpired):
            child.process.wait(seconds)
        finished = {path: path.stat().st_mtime_ns for path in folder.glob(f"runs/*/{FILE}")}
        again = [path for path, when in written.items() if finished.get(path) != when]
        assert not again, f"done again or lost: {again}"
        written = finished
        lines.append(f"kill {number} after {seconds:.1f} s: {len(finished)} runs finished")
    return lines


def main(kills: int) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        places = Path(one), Path(other)
        for place in places:
            (place / "kill.yaml").write_text(SUITE)
        start = perf_counter()
        print("\n".join(killed(places[0], kills)), flush=True)
        for place in places:
            ended = subprocess.run(command(), cwd=place, check=False, capture_output=True, text=True)
            assert ended.returncode == 0, ended.stderr
        collect(places[0] / "runs", list(leftovers(places[0] / "runs", unfinished=True)))
        remains = sorted({path.name for path in (places[0] / "runs").rglob(".*")} - {".suites"})
        assert not remains, remains
        assert board(places[0]) == board(places[1])
        runs = len(list(places[0].glob(f"runs/*/{FILE}")))
        print(f"{runs} runs, {kills} kills, {perf_counter() - start:.0f} s: the boards are equal, none was done twice, nothing is left")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
