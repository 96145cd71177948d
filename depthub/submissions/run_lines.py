"""The lines of a submission's runs: each read with every check, or with all its faults."""

from __future__ import annotations

from pathlib import Path

from depthub.errors import DepthubError
from depthub.records.faults import Fault
from depthub.records.packed import packed_runs
from depthub.records.result import RunResult
from depthub.submissions.verdict import FileFault

MOST = 50  # faults of a line that are worth listing


def read_runs(path: Path) -> tuple[dict[str, RunResult], list[FileFault]]:
    """The readable runs by line, and the faults of the others."""
    try:
        lines = packed_runs(path)
    except DepthubError as error:
        return {}, [FileFault("", Fault("", str(error).replace(str(path), path.name)))]
    results: dict[str, RunResult] = {}
    faults = []
    for line in lines:
        place = line.source.replace(str(path), path.name)
        try:
            results[place] = line.read().result
        except DepthubError:
            faults += [FileFault(place, fault) for fault in line.faults()[:MOST]]
    return results, faults
