"""One summary for runs of one protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from depthub.errors import DepthubError
from depthub.protocol import Summary
from depthub.records.scoring import check_summary

if TYPE_CHECKING:
    from depthub.records.result import RunResult


def shared(runs: Mapping[str, RunResult]) -> Summary:
    """The summary of runs of one protocol: how their scores combine.

    Args:
        runs: at least one, by run id. Runs without a summary (files of schema 1.0 of a protocol that is not installed) take that of the
            others; without any, the last score ranks and every score is averaged by the mean.

    Raises:
        DepthubError: if two runs declare different summaries, or a run lacks a score of the summary.
    """
    declared = {run_id: run.summary for run_id, run in runs.items() if run.summary}
    if not declared:
        return Summary(next(iter(runs.values())).headline)
    first, summary = next(iter(declared.items()))
    for run_id, other in declared.items():
        if other != summary:
            raise DepthubError(
                f"runs {first[:12]} and {run_id[:12]} declare their scores differently ({_in_words(summary)}; {_in_words(other)}); "
                "their protocol changed in between, do the older one again with --force"
            )
    for run_id, run in runs.items():
        check_summary(summary, run.scores, f"run {run_id[:12]}")
    return summary


def _in_words(summary: Summary) -> str:
    parts = [f"{name} of {one} and {other}" for name, (one, other) in summary.harmonic.items()]
    return f"headline {summary.headline}, harmonic {', '.join(parts) or 'none'}"
