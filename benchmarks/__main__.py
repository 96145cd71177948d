"""`python -m benchmarks`: run all of them, write results.json and the table of README.md from it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import FOLDER, README, RESULTS, rewritten, summary, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the embedded CLIP; prints the table and leaves the record alone")
    parser.add_argument("--results", type=Path, help="where the results go (default: benchmarks/results.json; with --quick nowhere)")
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        raw = Path(folder, "raw.json")
        code = measure(raw, ["-k", "embedded"] if args.quick else [])
        if code:
            return code
        results = summary(json.loads(raw.read_text()))
    path = args.results or (None if args.quick else RESULTS)
    if path:
        path.write_text(json.dumps(results, indent=1) + "\n")
    if args.quick:
        print(table(results))
    else:
        README.write_text(rewritten(README.read_text(), results))
    return 0


def measure(raw: Path, options: list[str]) -> int:
    """pytest's exit code, from a fresh process, on which nothing loaded here weighs."""
    ours = ["-o", "python_files=bench_*.py", "-p", "no:cacheprovider", "--benchmark-columns=median,iqr,rounds", "--benchmark-sort=name"]
    command = [sys.executable, "-m", "pytest", str(FOLDER), *ours, *options, f"--benchmark-json={raw}"]
    return subprocess.run(command, cwd=FOLDER.parent, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
