"""A setting of a leaderboard: rows of one protocol and backbone, averaged over the data sets that all of them have, and ranked."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from depthub.boards.rows import Row, reference
from depthub.boards.summary import shared
from depthub.protocol import Summary
from depthub.records.result import RunResult
from depthub.statistics.averages import CONVENTION, Convention, Statistic, convention, over_data, over_seeds

DIGITS = 4  # of a percentage: one image in a test set of 100 000 still shows
Averages = Mapping[str, Mapping[str, Statistic]]  # by row's label, then score


def setting(name: str, rows: Sequence[Row], how: Convention) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A setting's entry in a leaderboard, and its rows with the best first.

    Args:
        name: unlike that of every other setting.
        rows: at least one, with labels.
        how: average of harmonic scores over data sets.

    Raises:
        DepthubError: if the runs declare their scores differently.
    """
    runs = dict(sorted((run_id, run) for row in rows for run_id, run in row.runs.items()))
    cells = sorted({(data, seed) for row in rows for data, seed, _ in row.in_order()})
    data = sorted({data_set for data_set, _ in cells})
    seeds = sorted({seed for _, seed in cells})
    common = [data_set for data_set in data if all(data_set in row.cells for row in rows)]
    summary = shared(runs)
    scores = _score_names(runs.values(), summary.headline)
    averages = {row.label: _average(row, common, summary, how) for row in rows}
    grid = [(data_set, seed) for data_set in data for seed in seeds]
    entry = {
        "name": name,
        "spec": rows[0].shared,
        "data": data,
        "seeds": seeds,
        "scores": scores,
        "headline": summary.headline,
        "harmonic": {score: list(parts) for score, parts in summary.harmonic.items()},
        "aggregation": convention(scores, summary, how),
        "common_data": common,
    }
    from depthub.boards.standing import standing  # with scipy, which takes a second that other commands need not wait

    of_setting, of_rows = standing(rows, common, summary, how)
    if of_setting:
        entry["statistics"] = of_setting
    ranked = sorted(rows, key=lambda row: _standing(averages[row.label].get(summary.headline), row.label))
    untrained = [row for row in rows if row.untrained]
    numbers = {row.label: _results(row, untrained, summary, averages, grid) for row in rows}
    for label, place in of_rows.items():
        numbers[label]["standing"] = place
    return entry, [_row(rank, row, name, numbers[row.label]) for rank, row in enumerate(ranked, 1)]


def _average(row: Row, data: Sequence[str], summary: Summary, how: Convention) -> dict[str, Statistic]:
    """A row's scores over data sets; empty without any."""
    return over_data({data_set: row.scores(data_set) for data_set in data}, summary, how) if data else {}


def _score_names(runs: Iterable[RunResult], headline: str) -> list[str]:
    """In the protocol's own order about its headline, also where runs on other data have other scores."""
    before, after = [], []
    for names in (list(run.scores) for run in runs):
        place = names.index(headline) if headline in names else len(names)
        before += names[:place]
        after += names[place:]
    return list(dict.fromkeys([*before, *after]))


def _standing(average: Statistic | None, label: str) -> tuple[float, str]:
    """The sort key of a row: the highest average first, rows without one last, equal ones by label."""
    return (-round(average.mean, DIGITS) if average else 1.0, label)


def _row(rank: int, row: Row, setting: str, results: Mapping[str, Any]) -> dict[str, Any]:
    about = {"league": row.declared.league, "level": row.declared.level, "disclosures": list(row.declared.disclosures)}
    about |= {"submission": row.declared.submission} if row.declared.submission else {}
    return {"rank": rank, "label": row.label, "setting": setting, "spec": row.spec, "untrained": row.untrained, **about, **results}


def _results(row: Row, untrained: Sequence[Row], summary: Summary, averages: Averages, grid: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """The numbers of a row among the rows of its setting; `grid` has every data set and seed of these."""
    missing = [{"data": data, "seed": seed} for data, seed in grid if seed not in row.cells.get(data, {})]
    average, against = averages[row.label], reference(row, untrained)
    return {
        "complete": not missing,
        "missing": missing,
        **_aggregates(row, average, summary),
        "difference": _difference(average, against.label, averages[against.label]) if average and against else None,
        "cost": _cost(list(row.runs.values())),
        "runs": [_run(row, *cell) for cell in row.in_order()],
    }


def aggregates(row: Row, how: Convention = CONVENTION) -> dict[str, Any]:
    """`per_data` and `average` of a row by itself, as in a leaderboard in which all rows have its data sets.

    Raises:
        DepthubError: if its runs declare their scores differently.
    """
    summary = shared(dict(sorted(row.runs.items())))
    return _aggregates(row, _average(row, sorted(row.cells), summary, how), summary)


def _aggregates(row: Row, average: Mapping[str, Statistic], summary: Summary) -> dict[str, Any]:
    per_data = {data: _rounded(over_seeds(row.scores(data), summary)) for data in sorted(row.cells)}
    return {"per_data": per_data, "average": _rounded(average) if average else None}


def _rounded(scores: Mapping[str, Statistic]) -> dict[str, Any]:
    return {
        name: {
            "mean": round(score.mean, DIGITS),
            "std": None if score.std is None else round(score.std, DIGITS),
            "n_seeds": score.n_seeds,
        }
        for name, score in scores.items()
    }


def _difference(average: Mapping[str, Statistic], label: str, other: Mapping[str, Statistic]) -> dict[str, Any]:
    scores = {name: round(average[name].mean - other[name].mean, DIGITS) for name in average if name in other}
    return {"against": label, "scores": scores}


def _cost(runs: Sequence[RunResult]) -> dict[str, Any]:
    def values(key: str) -> list[float]:
        return [run.cost[key] for run in runs if key in run.cost]

    seconds = {key: round(statistics.fmean(values(key)), 3) if values(key) else None for key in ("train_s", "eval_s")}
    return {"params_trainable": max(values("params_trainable"), default=None), **seconds}


def _run(row: Row, data: str, seed: int, run_id: str) -> dict[str, Any]:
    counts = {task: [count.n_correct, count.n_total] for task, count in sorted(row.runs[run_id].counts.items())}
    return {"run_id": run_id, "data": data, "seed": seed, "counts": counts}
