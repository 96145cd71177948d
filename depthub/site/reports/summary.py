"""The first line of a report: what there is."""

from __future__ import annotations

from collections.abc import Sequence

from depthub.records.result import RunResult
from depthub.site.reports.part import Part
from depthub.site.reports.phrases import counted, numbers
from depthub.values.text import listed


def summary(of_settings: Sequence[Part], runs: Sequence[RunResult]) -> str:
    """What there is, in a few sentences."""
    data = sorted({name for part in of_settings for name in part.setting["data"]})
    protocols = sorted({str(part.setting["spec"]["protocol"]["name"]) for part in of_settings})
    models = sorted({str(part.setting["spec"]["backbone"]["model"]) for part in of_settings})
    versions = sorted({str(run.provenance["depthub"]["version"]) for run in runs if "depthub" in run.provenance})
    seeds = {run.spec.seed for run in runs}
    rows = sum(len(part.rows) for part in of_settings)
    what = f"{counted(len(runs), 'run')} in {counted(rows, 'row')} on {counted(len(data), 'data set')} ({listed(data, 12)})"
    how = f"protocol{'s' if len(protocols) > 1 else ''} {listed(protocols)}; model{'s' if len(models) > 1 else ''} {listed(models)}"
    done = f"done by depthub {listed(versions)}" if versions else "done by a version of depthub that they do not say"
    dates = "Run files hold no dates, so that nothing here says when they were done."
    origin = "All numbers are counts of these runs, none is from print."
    return f"{what} with {counted(len(seeds), 'seed')} ({numbers(seeds)}); {how}; {done}. {origin} {dates}"
