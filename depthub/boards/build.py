"""From runs to a leaderboard document: the same runs give the same bytes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from depthub.boards.labels import distinct
from depthub.boards.rows import Row, reference, settings
from depthub.boards.summary import shared
from depthub.errors import DepthubError
from depthub.protocol import Summary
from depthub.records import schema
from depthub.records.result import RunResult
from depthub.spec import digest
from depthub.statistics.averages import CONVENTION, Convention, Statistic, convention, over_data, over_seeds
from depthub.system.provenance import version
from depthub.values.text import plain

DIGITS = 4  # of a percentage: one image in a test set of 100 000 still shows
COST = ("params_trainable", "train_s", "eval_s")


def board(
    results: Iterable[RunResult],
    title: str = "depthub leaderboard",
    how: Convention = CONVENTION,
    left_out: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """A leaderboard document (kind `leaderboard` of the schema); percentages are rounded to four decimals.

    Args:
        results: finished runs, in any order.
        title: its title.
        how: to average harmonic scores over data sets.
        left_out: `file` and `reason` of each run that is there and cannot be used.

    Raises:
        DepthubError: if there are no runs, one is there twice, runs of one protocol declare their scores otherwise, or runs of one data
            set had other test images.
    """
    runs = _by_id(results)
    comparable = settings(runs)
    names = distinct([_name(rows[0]) for rows in comparable], [rows[0].shared for rows in comparable])
    parts = [_setting(name, rows, how) for name, rows in sorted(zip(names, comparable, strict=True), key=lambda pair: pair[0])]
    made = {
        **schema.header("leaderboard"),
        "title": plain(title),
        "depthub_version": version("depthub") or "unknown",
        "inputs_sha256": digest([_input(run_id, run) for run_id, run in runs.items()]),
        "aggregation": _agreed([setting["aggregation"] for setting, _ in parts]),
        "settings": [setting for setting, _ in parts],
        "rows": [row for _, rows in parts for row in rows],
        "left_out": [dict(entry) for entry in left_out],
    }
    if notes := sorted({plain(note) for run in runs.values() for note in run.notes}):
        made["notes"] = notes
    schema.validate(made, "leaderboard", "leaderboard")
    return made


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
    """What a board takes from a run, the same from memory as from its file."""
    counts = {task: [count.n_correct, count.n_total] for task, count in run.counts.items()}
    return {"run_id": run_id, "counts": counts, "scores": dict(run.scores), "cost": {key: run.cost.get(key) for key in COST}}


def _agreed(aggregations: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """How each score is averaged, where all settings that have it do so alike."""
    names = dict.fromkeys(name for aggregation in aggregations for name in aggregation)
    ways = {name: {aggregation[name] for aggregation in aggregations if name in aggregation} for name in names}
    return {name: next(iter(way)) for name, way in ways.items() if len(way) == 1}


def _name(row: Row) -> str:
    backbone = "/".join(filter(None, (row.spec["backbone"]["model"], row.spec["backbone"]["pretrained"])))
    return f"{row.spec['protocol']['name']}, {backbone}"


def _score_names(runs: Iterable[RunResult], headline: str) -> list[str]:
    """In the protocol's own order about its headline, also where runs on other data have other scores."""
    before, after = [], []
    for names in (list(run.scores) for run in runs):
        place = names.index(headline) if headline in names else len(names)
        before += names[:place]
        after += names[place:]
    return list(dict.fromkeys([*before, *after]))


def _setting(name: str, rows: Sequence[Row], how: Convention) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A setting's entry, and its rows with the best first."""
    runs = dict(sorted((run_id, run) for row in rows for run_id, run in row.runs.items()))
    cells = {(data, seed) for row in rows for data, seed, _ in row.in_order()}
    data, seeds = sorted({d for d, _ in cells}), sorted({s for _, s in cells})
    common = [d for d in data if all(d in row.cells for row in rows)]
    summary = shared(runs)
    scores = _score_names(runs.values(), summary.headline)
    averages = {row.label: over_data({d: row.scores(d) for d in common}, summary, how) if common else {} for row in rows}

    def standing(row: Row) -> tuple[float, str]:
        average = averages[row.label].get(summary.headline)
        return (-round(average.mean, DIGITS) if average else 1.0, row.label)

    made = []
    for rank, row in enumerate(sorted(rows, key=standing), 1):
        entry = {"rank": rank, "label": row.label, "setting": name, "spec": row.spec, "untrained": row.untrained}
        made.append(entry | _results(row, summary, averages, reference(row, rows), [(d, s) for d in data for s in seeds]))
    return {
        "name": name,
        "spec": rows[0].shared,
        "data": data,
        "seeds": seeds,
        "scores": scores,
        "headline": summary.headline,
        "harmonic": {score: list(parts) for score, parts in summary.harmonic.items()},
        "aggregation": convention(scores, summary, how),
        "common_data": common,
    }, made


def _results(
    row: Row, summary: Summary, averages: Mapping[str, Mapping[str, Statistic]], against: Row | None, wanted: Sequence[tuple[str, int]]
) -> dict[str, Any]:
    missing = [{"data": d, "seed": s} for d, s in wanted if s not in row.cells.get(d, {})]
    average = averages[row.label]
    return {
        "complete": not missing,
        "missing": missing,
        "per_data": {d: _rounded(over_seeds(row.scores(d), summary)) for d in sorted(row.cells)},
        "average": _rounded(average) if average else None,
        "difference": _difference(average, against.label, averages[against.label]) if average and against else None,
        "cost": _cost(list(row.runs.values())),
        "runs": [_run(row, *cell) for cell in row.in_order()],
    }


def _rounded(scores: Mapping[str, Statistic]) -> dict[str, Any]:
    return {
        name: {"mean": round(s.mean, DIGITS), "std": None if s.std is None else round(s.std, DIGITS), "n_seeds": s.n_seeds}
        for name, s in scores.items()
    }


def _difference(average: Mapping[str, Statistic], label: str, other: Mapping[str, Statistic]) -> dict[str, Any]:
    scores = {name: round(average[name].mean - other[name].mean, DIGITS) for name in average if name in other}
    return {"against": label, "scores": scores}


def _cost(runs: Sequence[RunResult]) -> dict[str, Any]:
    def of(key: str) -> list[float]:
        return [run.cost[key] for run in runs if key in run.cost]

    seconds = {key: round(statistics.fmean(of(key)), 3) if of(key) else None for key in ("train_s", "eval_s")}
    return {"params_trainable": max(of("params_trainable"), default=None), **seconds}


def _run(row: Row, data: str, seed: int, run_id: str) -> dict[str, Any]:
    counts = {task: [count.n_correct, count.n_total] for task, count in sorted(row.runs[run_id].counts.items())}
    return {"run_id": run_id, "data": data, "seed": seed, "counts": counts}
