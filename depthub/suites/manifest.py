"""Manifests: the runs of a suite when it was last carried out, in its store.

Another terminal or machine sees by them how far the suite is, and a suite that was changed since is noticed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError, hint
from depthub.records import failures
from depthub.records.store import FILE
from depthub.running.claims import Claims
from depthub.spec import digest
from depthub.system.files import atomic_write

FOLDER = ".suites"  # in the folder of runs
RECENT = 900.0  # seconds over which the throughput is taken


@dataclass(frozen=True)
class Manifest:
    """The runs of a suite.

    Args:
        name: of the suite.
        runs: in words, by run id.
    """

    name: str
    runs: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """The same for the same runs."""
        return digest(sorted(self.runs))

    def write(self, root: Path) -> None:
        """Write it into a store.

        Raises:
            DepthubError: if the system refuses.
        """
        fields = {"suite": self.name, "sha256": self.sha256, "runs": dict(self.runs)}
        atomic_write(root / FOLDER / f"{self.name}.json", json.dumps(fields, indent=1).encode())

    @classmethod
    def read(cls, root: Path, name: str) -> Manifest | None:
        """That of a suite's last execution; None if there is none that can be read."""
        try:
            fields = json.loads((root / FOLDER / f"{name}.json").read_bytes())
            return cls(fields["suite"], dict(fields["runs"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @classmethod
    def named(cls, root: Path, name: str) -> Manifest:
        """That of a suite's last execution.

        Raises:
            DepthubError: if the suite was not run in that store.
        """
        manifest = cls.read(root, name)
        if manifest is None:
            names = sorted(path.stem for path in (root / FOLDER).glob("*.json"))
            raise DepthubError(f"no suite {name!r} was run in {root}{hint(name, names)}; --runs names the folder of its runs")
        return manifest

    def changes(self, earlier: Manifest | None) -> str:
        """The difference to an earlier execution, in words; empty if there is none."""
        if earlier is None or earlier.sha256 == self.sha256:
            return ""
        new, gone = len(self.runs.keys() - earlier.runs.keys()), len(earlier.runs.keys() - self.runs.keys())
        return f"the suite is not the one of its last execution: {new} new runs, {gone} that are no longer part of it (their results stay)"


def status(manifest: Manifest, root: Path) -> dict[str, Any]:
    """How far a suite is, from the files of its store alone.

    Args:
        manifest: of the suite.
        root: of the store.

    Returns:
        Plain data: `suite`, `runs`, `done`, `failed`, `working`, `left`, `per_hour` (over the last 15 minutes), `hours_left` (None if
        nothing was done meanwhile), `failures` by run id and `current`: runs under way, in words.
    """
    now, active = time.time(), Claims(root).active()
    ended = {run_id: written for run_id in manifest.runs if (written := _written(root / run_id / FILE))}
    failed = {run_id: failure for run_id in manifest.runs.keys() - ended.keys() if (failure := failures.read(root / run_id))}
    working = [run_id for run_id in manifest.runs if run_id in active and run_id not in ended]
    recent = [written for written in ended.values() if now - written < RECENT]
    since = max(1.0, now - min(recent)) if recent else 0.0
    left = len(manifest.runs) - len(ended) - len([run_id for run_id in failed if run_id not in active])
    per_hour = 3600 * len(recent) / since if recent else 0.0
    return {
        "suite": manifest.name,
        "runs": len(manifest.runs),
        "done": len(ended),
        "failed": len(failed),
        "working": len(working),
        "left": left,
        "per_hour": round(per_hour, 1),
        "hours_left": round(left / per_hour, 3) if per_hour else None,
        "failures": {run_id: f"{manifest.runs[run_id]}: {failure.message}" for run_id, failure in sorted(failed.items())},
        "current": [manifest.runs[run_id] for run_id in working],
    }


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
