"""Results of runs, and runs on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from depthub.protocol import Count
from depthub.spec import RunSpec


@dataclass(frozen=True)
class RunResult:
    """What a run gave.

    Args:
        spec: what was run.
        counts: by test task.
        scores: in percent, derived from `counts` by the protocol.
        provenance: versions, plugins, hardware: where the numbers come from.
        cost: seconds and bytes.
        warnings: what the user was told.
    """

    spec: RunSpec
    counts: Mapping[str, Count]
    scores: Mapping[str, float]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
