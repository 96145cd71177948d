"""Where the numbers of runs come from: versions, machines, code, data and samples, each with the runs that have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from depthub.records.result import RunResult
from depthub.site.reports.phrases import DIGEST
from depthub.system.provenance import COMPARED
from depthub.values.flat import flat

NUMERICS = ("linear", "tf32", "deterministic")  # of `execution`, what sums depend on
HOW = ("threads", "world_size", "stacked", "graphs")  # of `execution`, what they do not
CORE = "depthub"
KINDS = ("versions", "machines", "numerics", "code", "data", "weights")


@dataclass(frozen=True)
class Trait:
    """A property of runs.

    Args:
        kind: one of `KINDS`.
        name: of the property, for example "torch".
        counts: number of runs by value; runs that do not say it are left out.
        matters: whether runs that differ in it are no longer the same measurement.
    """

    kind: str
    name: str
    counts: Mapping[str, int]
    matters: bool

    @property
    def runs(self) -> int:
        """Number of the runs that say it."""
        return sum(self.counts.values())

    @property
    def is_mixed(self) -> bool:
        """Whether runs differ in what matters."""
        return self.matters and len(self.counts) > 1


def traits(runs: Iterable[RunResult]) -> list[Trait]:
    """All properties that runs say of themselves, by kind and name."""
    counts: dict[tuple[str, str, bool], Counter[str]] = {}
    for run in runs:
        for kind, name, value, matters in _properties(run.provenance):
            counts.setdefault((kind, name, matters), Counter())[value] += 1
    properties = [Trait(kind, name, counter, matters) for (kind, name, matters), counter in counts.items()]
    return sorted(properties, key=lambda trait: KINDS.index(trait.kind))


def silent(runs: Iterable[RunResult]) -> int:
    """Number of the runs that do not say with which versions they were done."""
    return sum(1 for run in runs if CORE not in run.provenance)


def fingerprints(runs: Iterable[RunResult]) -> dict[tuple[str, int, int, str], dict[str, list[RunResult]]]:
    """Runs by data set of the sample, its seed, shots and training task, and by the fingerprint of the images that were drawn."""
    drawn: dict[tuple[str, int, int, str], dict[str, list[RunResult]]] = {}
    for run in runs:
        seed = run.spec.seed if run.spec.sample is None else run.spec.sample
        for sample in run.samples:
            drawn.setdefault((sample.data, seed, run.spec.shots, sample.task), {}).setdefault(sample.sha256, []).append(run)
    return drawn


def _properties(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    """(kind, name, value, whether it matters) of a run."""
    yield from _versions(provenance)
    hardware = provenance.get("hardware", {})
    if hardware:
        devices = [device["name"] for device in hardware["accelerators"]]
        yield "machines", "processor", str(hardware["cpu"]), True
        yield "machines", "accelerator", ", ".join(devices) or "none", True
        yield "machines", "cores", str(hardware["cores"]), False
    execution = flat(provenance.get("execution", {}))
    yield from (("numerics", name, str(execution[name]), name in NUMERICS) for name in (*NUMERICS, *HOW) if name in execution)
    inputs = provenance.get("inputs", {})
    for part, of in inputs.get("code", {}).items():
        yield "code", part, f"{of['distribution']} {of['version']}, {of['sha256'][:DIGEST]}", True
    for data, sha256 in provenance.get("data_sha256", {}).items():
        yield "data", data, sha256[:DIGEST], True
    if "backbone_sha256" in provenance:
        yield "weights", "backbone", provenance["backbone_sha256"][:DIGEST], True


def _versions(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    if core := provenance.get(CORE):
        yield "versions", CORE, str(core["version"]), True
        changed = ", with changes that no commit holds" if core.get("dirty") else ""
        yield "versions", "commit", f"{(core.get('commit') or 'unknown')[:DIGEST]}{changed}", False
    for name in ("python", "platform"):
        if name in provenance:
            yield "versions", name, str(provenance[name]), False
    for name, version in provenance.get("packages", {}).items():
        yield "versions", name, str(version), name in COMPARED
