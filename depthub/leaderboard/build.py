"""From runs to a leaderboard document: the same runs give the same bytes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from depthub import schema
from depthub.errors import DepthubError
from depthub.leaderboard.aggregate import CONVENTION, Convention, Statistic, convention, over_data, over_seeds
from depthub.leaderboard.labels import distinct, row_label
from depthub.provenance import version
from depthub.spec import digest
from depthub.store import RunResult, document

DIGITS = 4  # of a percentage: one image in a test set of 100 000 still shows


@dataclass
class Row:
    """Runs that differ in data and seed only; `cells` holds them by data set's label, then seed."""

    spec: dict[str, Any]
    cells: dict[str, dict[int, RunResult]] = field(default_factory=dict)
    label: str = ""

    @property
    def runs(self) -> list[RunResult]:
        return [self.cells[data][seed] for data in sorted(self.cells) for seed in sorted(self.cells[data])]

    @property
    def untrained(self) -> bool:
        """No run trained a parameter: what others are compared with, whatever its name."""
        return all(run.cost.get("params_trainable") == 0 for run in self.runs)

    @property
    def comparable(self) -> str:
        """Rows of the same setting can be compared: they share protocol and backbone."""
        return digest({key: self.spec[key] for key in ("protocol", "backbone")})

    def scores(self, data: str) -> dict[int, Mapping[str, float]]:
        return {seed: self.cells[data][seed].scores for seed in sorted(self.cells[data])}


def board(results: Iterable[RunResult], title: str = "depthub leaderboard", how: Convention = CONVENTION) -> dict[str, Any]:
    """A leaderboard document (kind `leaderboard` of the schema); percentages are rounded to four decimals.

    Args:
        results: finished runs, in any order.
        title: its title.
        how: to average harmonic scores over data sets.

    Raises:
        DepthubError: if there are no runs, one is there twice, or runs of one data set had other test images.
    """
    runs = sorted(results, key=lambda run: run.spec.run_id)
    if not runs:
        raise DepthubError("no finished runs to make a leaderboard of")
    ids = [run.spec.run_id for run in runs]
    twice = next((a for a, b in pairwise(ids) if a == b), None)
    if twice is not None:
        raise DepthubError(f"run {twice} is given twice")
    settings: dict[str, list[Row]] = {}
    for row in _rows(runs):
        settings.setdefault(row.comparable, []).append(row)
    names = distinct(*zip(*((_setting_name(rows[0]), _shared(rows[0])) for rows in settings.values()), strict=True))
    parts = sorted(
        ((name, _setting(name, rows, how)) for name, rows in zip(names, settings.values(), strict=True)), key=lambda part: part[0]
    )
    made = {
        **schema.header("leaderboard"),
        "title": title,
        "depthub_version": version("depthub") or "unknown",
        "inputs_sha256": digest(sorted(document(run)["sha256"] for run in runs)),
        "aggregation": convention(_score_names(runs), how),
        "settings": [part[0] for _, part in parts],
        "rows": [row for _, part in parts for row in part[1]],
    }
    schema.validate(made, "leaderboard", "leaderboard")
    return made


def _rows(runs: Sequence[RunResult]) -> list[Row]:
    # Without places: a run of a moment ago and one read from its file are of the same row.
    plain = [run.spec.without_places().as_dict() for run in runs]
    data = {digest(spec["data"]): spec["data"] for spec in plain}
    data_labels = dict(zip(data, distinct([spec["name"] for spec in data.values()], list(data.values())), strict=True))
    rows: dict[str, Row] = {}
    for run, spec in zip(runs, plain, strict=True):
        where, seed = data_labels[digest(spec.pop("data"))], spec.pop("seed")
        rows.setdefault(digest(spec), Row(spec)).cells.setdefault(where, {})[seed] = run
    return list(rows.values())


def _shared(row: Row) -> dict[str, Any]:
    return {key: row.spec[key] for key in ("protocol", "backbone")}


def _setting_name(row: Row) -> str:
    backbone = "/".join(filter(None, (row.spec["backbone"]["model"], row.spec["backbone"]["pretrained"])))
    return f"{row.spec['protocol']['name']}, {backbone}"


def _score_names(runs: Iterable[RunResult]) -> list[str]:
    """In the protocol's own order, the last one being its headline, also where runs on other data have other scores before it."""
    found = [list(run.scores) for run in runs]
    return list(dict.fromkeys([name for names in found for name in names[:-1]] + [names[-1] for names in found]))


def _setting(name: str, rows: list[Row], how: Convention) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A setting's entry, and its rows with the best first."""
    for row, label in zip(rows, distinct([row_label(row.spec) for row in rows], [row.spec for row in rows]), strict=True):
        row.label = label
    _check_same_images(rows)
    cells = {(data, seed) for row in rows for data in row.cells for seed in row.cells[data]}
    data, seeds = sorted({d for d, _ in cells}), sorted({s for _, s in cells})
    common = [d for d in data if all(d in row.cells for row in rows)]
    scores = _score_names(run for row in rows for run in row.runs)
    averages = {row.label: over_data({d: row.scores(d) for d in common}, how) if common else {} for row in rows}
    headline = scores[-1]

    def standing(row: Row) -> tuple[float, str]:
        found = averages[row.label].get(headline)
        return (-round(found.mean, DIGITS) if found else 1.0, row.label)

    made = []
    for rank, row in enumerate(sorted(rows, key=standing), 1):
        entry = {"rank": rank, "label": row.label, "setting": name, "spec": row.spec, "untrained": row.untrained}
        made.append(entry | _results(row, averages, _reference(row, rows), [(d, s) for d in data for s in seeds]))
    return {
        "name": name,
        "spec": _shared(rows[0]),
        "data": data,
        "seeds": seeds,
        "scores": scores,
        "headline": headline,
        "common_data": common,
    }, made


def _results(
    row: Row, averages: Mapping[str, Mapping[str, Statistic]], against: Row | None, wanted: list[tuple[str, int]]
) -> dict[str, Any]:
    missing = [{"data": d, "seed": s} for d, s in wanted if s not in row.cells.get(d, {})]
    average = averages[row.label]
    return {
        "complete": not missing,
        "missing": missing,
        "per_data": {d: _plain(over_seeds(row.scores(d))) for d in sorted(row.cells)},
        "average": _plain(average) if average else None,
        "difference": _difference(average, against.label, averages[against.label]) if average and against else None,
        "cost": _cost(row.runs),
        "runs": [_run(run, d, s) for d in sorted(row.cells) for s, run in sorted(row.cells[d].items())],
    }


def _reference(row: Row, rows: Sequence[Row]) -> Row | None:
    """The untrained row to compare with; None for itself, or if several would do."""
    if row.untrained:
        return None
    found = [other for other in rows if other.untrained]
    alike = [other for other in found if all(other.spec[key] == row.spec[key] for key in ("shots", "training"))]
    found = alike if len(found) > 1 else found
    return found[0] if len(found) == 1 else None


def _check_same_images(rows: Sequence[Row]) -> None:
    seen: dict[tuple[str, int, str], tuple[int, str]] = {}
    for row in rows:
        for data, by_seed in row.cells.items():
            for seed, run in by_seed.items():
                for task, count in run.counts.items():
                    total, first = seen.setdefault((data, seed, task), (count.n_total, run.spec.run_id))
                    if total != count.n_total:
                        raise DepthubError(
                            f"{data}, seed {seed}, task {task!r}: {total} test images in run {first[:12]}, {count.n_total} in run "
                            f"{run.spec.run_id[:12]}; the data set changed in between, delete the older run and repeat it"
                        )


def _plain(scores: Mapping[str, Statistic]) -> dict[str, Any]:
    return {
        name: {"mean": round(s.mean, DIGITS), "std": None if s.std is None else round(s.std, DIGITS), "n_seeds": s.n_seeds}
        for name, s in scores.items()
    }


def _difference(average: Mapping[str, Statistic], label: str, reference: Mapping[str, Statistic]) -> dict[str, Any]:
    scores = {name: round(average[name].mean - reference[name].mean, DIGITS) for name in average if name in reference}
    return {"against": label, "scores": scores}


def _cost(runs: Sequence[RunResult]) -> dict[str, Any]:
    def of(key: str) -> list[float]:
        return [run.cost[key] for run in runs if key in run.cost]

    seconds = {key: round(statistics.fmean(of(key)), 3) if of(key) else None for key in ("train_s", "eval_s")}
    return {"params_trainable": max(of("params_trainable"), default=None), **seconds}


def _run(run: RunResult, data: str, seed: int) -> dict[str, Any]:
    counts = {task: [count.n_correct, count.n_total] for task, count in sorted(run.counts.items())}
    return {"run_id": run.spec.run_id, "data": data, "seed": seed, "counts": counts}
