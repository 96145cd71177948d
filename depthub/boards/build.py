"""From runs to a leaderboard document: the same runs give the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from depthub.boards.labels import distinct, texts_in_words
from depthub.boards.rows import Declared, Row, settings
from depthub.boards.setting import setting
from depthub.errors import DepthubError
from depthub.records import schema
from depthub.records.result import RunResult
from depthub.spec import digest
from depthub.statistics.averages import CONVENTION, Convention
from depthub.system.provenance import version
from depthub.values.text import plain

COST = ("params_trainable", "train_s", "eval_s")


def board(
    results: Iterable[RunResult],
    title: str = "depthub leaderboard",
    how: Convention = CONVENTION,
    left_out: Sequence[Mapping[str, str]] = (),
    declared: Mapping[str, Declared] | None = None,
) -> dict[str, Any]:
    """A leaderboard document (kind `leaderboard` of the schema); percentages are rounded to four decimals.

    Args:
        results: finished runs, in any order.
        title: its title.
        how: average of harmonic scores over data sets.
        left_out: `file` and `reason` of each unusable run.
        declared: by run id, for runs of submissions.

    Raises:
        DepthubError: if there are no runs, one is there twice, runs of one protocol declare their scores differently, or runs of one data
            set had other test images.
    """
    runs = _by_id(results)
    comparable = settings(runs, declared or {})
    names = distinct([_name(rows[0]) for rows in comparable], [rows[0].shared for rows in comparable])
    parts = [setting(name, rows, how) for name, rows in sorted(zip(names, comparable, strict=True), key=lambda pair: pair[0])]
    document = {
        **schema.header("leaderboard"),
        "title": plain(title),
        "depthub_version": version("depthub") or "unknown",
        "inputs_sha256": digest([_input(run_id, run) for run_id, run in runs.items()]),
        "aggregation": _agreed([entry["aggregation"] for entry, _ in parts]),
        "settings": [entry for entry, _ in parts],
        "rows": [row for _, rows in parts for row in rows],
        "left_out": [dict(entry) for entry in left_out],
    }
    if notes := sorted({plain(note) for run in runs.values() for note in run.notes}):
        document["notes"] = notes
    return document


def _by_id(results: Iterable[RunResult]) -> dict[str, RunResult]:
    runs: dict[str, RunResult] = {}
    for run in results:
        run_id = run.spec.run_id
        if run_id in runs:
            raise DepthubError(f"run {run_id} is given twice; keep one of the two")
        runs[run_id] = run
    if not runs:
        raise DepthubError("no finished runs to make a leaderboard of; `depthub run` makes some")
    return dict(sorted(runs.items()))


def _input(run_id: str, run: RunResult) -> dict[str, Any]:
    """The parts of a run that a board depends on, the same from memory as from its file."""
    counts = {task: [count.n_correct, count.n_total] for task, count in run.counts.items()}
    return {"run_id": run_id, "counts": counts, "scores": dict(run.scores), "cost": {key: run.cost.get(key) for key in COST}}


def _agreed(aggregations: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The average of each score, where all settings with that score average it alike."""
    names = dict.fromkeys(name for aggregation in aggregations for name in aggregation)
    ways = {name: {aggregation[name] for aggregation in aggregations if name in aggregation} for name in names}
    return {name: next(iter(way)) for name, way in ways.items() if len(way) == 1}


def _name(row: Row) -> str:
    backbone = "/".join(filter(None, (row.spec["backbone"]["model"], row.spec["backbone"]["pretrained"])))
    league = f", league {row.declared.league}" if "league" in row.shared else ""
    return f"{row.spec['protocol']['name']}, {backbone}{league}{f', {words}' if (words := texts_in_words(row.spec)) else ''}"
