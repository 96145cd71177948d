"""What a run leaves: its result, put together from its findings, and the files beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from depthub.boundary import check_scores
from depthub.boundary.owner import within
from depthub.records import predictions
from depthub.records.document import PREDICTIONS
from depthub.records.result import RunResult, Sample, TrainedStage
from depthub.records.scoring import check_summary
from depthub.registry import presets
from depthub.running import text_features
from depthub.spec import placeless
from depthub.system.provenance import collect

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from depthub.protocol import Stage
    from depthub.registry.plugins import Plugins
    from depthub.running.findings import Findings
    from depthub.running.resolved import Resolved


def result_of(resolved: Resolved, findings: Findings, cost: Mapping[str, Any], provenance: Mapping[str, Any], folder: Path) -> RunResult:
    """The result of a run.

    Args:
        resolved: the run.
        findings: of all its test tasks.
        cost: seconds and bytes.
        provenance: see `provenance_of`.
        folder: of the run on disk.

    Raises:
        DepthubError: if the protocol's scores are not what it declares.
    """
    counts = {task: of_task.count() for task, of_task in findings.predictions.items()}
    protocol = resolved.protocol
    with within("protocol", protocol):
        scores = protocol.scores(counts)
    check_scores(scores, protocol)
    summary = protocol.summary(scores)
    check_summary(summary, scores, f"protocol {resolved.spec.protocol.name}")
    return RunResult(
        spec=resolved.spec,
        counts=counts,
        scores=scores,
        provenance=provenance,
        cost=cost,
        warnings=tuple(resolved.notes),
        samples=tuple(_sample(stage, resolved) for stage in resolved.stages),
        summary=summary,
        tasks=findings.tasks,
        stages=tuple(TrainedStage(one.train.name, one.train.classes, tuple(task.name for task in one.tests)) for one in resolved.stages),
        predictions=findings.predictions,
        folder=folder,
    )


def provenance_of(
    resolved: Resolved, plugins: Plugins, inputs: Mapping[str, Any], execution: Mapping[str, Any], processes: int
) -> dict[str, Any]:
    """Where a run's numbers come from, as its document holds it.

    Args:
        resolved: the run.
        plugins: that provide its components.
        inputs: everything besides the spec that the numbers depend on.
        execution: how the run was carried out, beside what `collect` finds out by itself.
        processes: that share the run.
    """
    spec = resolved.spec
    parts = (("methods", spec.method), ("heads", spec.head), ("protocols", spec.protocol))
    provenance = collect([(kind, part.name, plugins.provider(kind, part.name)) for kind, part in parts], processes)
    provenance["execution"].update(execution)
    return {
        **provenance,
        "presets": presets.matching(spec, plugins),
        "loaded": plugins.loaded(),
        "backbone_sha256": inputs["backbone"],
        "data_sha256": {placeless(name): digest for name, digest in resolved.digests.items() if digest},
        "inputs": inputs,
    }


def files_of(findings: Findings, tuned: Iterable[Path], scale: Tensor) -> dict[str, bytes]:
    """The files beside a result, by name: predictions, tuned parameters, and class features where they do not depend on the image.

    Args:
        findings: of all test tasks.
        tuned: the last checkpoint of each stage; those that do not exist are left out.
        scale: CLIP's, ().
    """
    files = {PREDICTIONS: predictions.dumps(findings.predictions)}
    files |= {path.name: path.read_bytes() for path in tuned if path.is_file()}
    if findings.text:
        files[text_features.FILE] = text_features.dumps(findings.text, scale)
    return files


def with_digests(result: RunResult, files: Mapping[str, bytes]) -> RunResult:
    """The result with the SHA-256 of each file beside it."""
    return replace(result, files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()})


def _sample(stage: Stage, resolved: Resolved) -> Sample:
    """The training images of a stage, as they were drawn."""
    drawn = stage.drawn
    source = drawn.source or resolved.spec.data.name
    return Sample(stage.train.name, placeless(source), drawn.ids, drawn.labels, resolved.data[source].notes)
