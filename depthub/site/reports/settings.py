"""A section of a report: the numbers of one setting as its template shows them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from depthub.boards.measured import Measured
from depthub.records.result import RunResult
from depthub.site import charts, views
from depthub.site.reports.gap import gap, seed_averages
from depthub.site.reports.part import Part, Row
from depthub.site.reports.phrases import DIGEST
from depthub.site.reports.traits import fingerprints, traits
from depthub.values.flat import flat
from depthub.values.text import listed

SECONDS = ("train_s", "encode_s", "eval_s")
MEMORY = ("peak_rss_bytes", "peak_device_bytes")
PARTS = ("method", "head")  # whose settings a row shows in full; of the recipe it shows what differs
GIB = 2**30


def section(part: Part, entry: Mapping[str, Any], claims: Iterable[Measured]) -> dict[str, Any]:
    """Everything of a setting.

    Args:
        part: the setting with its runs.
        entry: of `views.entries`.
        claims: of `boards.measured` on its rows.
    """
    scores = part.setting["scores"]
    common = part.setting["common_data"]
    return {
        **entry,
        "best": {score: label for score in scores if (label := _best(part, score, common))},
        "best_on": {data: label for data in part.setting["data"] if (label := _best(part, part.headline, [data]))},
        "by_seed": charts.by_seed(part.headline, {row["label"]: seed_averages(part, row) for row in part.rows}),
        "claims": [_claim(claim) for claim in claims],
        **_settings(part),
        "traits": traits(part.runs.values()),
        "samples": list(_samples(part)),
        "costs": [_cost(row["label"], list(part.runs_of(row).values())) for row in part.rows],
        "runs": list(_runs(part)),
    }


def _best(part: Part, score: str, data: Sequence[str]) -> str:
    """The label of the row with the highest average of a score, if it is ahead of every other one by more than chance; else empty."""
    rows = [row for row in part.rows if data and all(score in row["per_data"].get(name, {}) for name in data)]
    ranked = sorted(rows, key=lambda row: -_mean(row, score, data))
    if len(ranked) < 2:
        return ""
    first, *others = ranked
    for other in others:  # the nearest first, of which one is mostly enough
        between = gap(part, first, other, score, data)
        if between is None or not between.is_ahead:
            return ""
    return str(first["label"])


def _mean(row: Row, score: str, data: Sequence[str]) -> float:
    of = row["per_data"][data[0]] if len(data) == 1 else row["average"]
    return float(of[score]["mean"])


def _claim(claim: Measured) -> dict[str, Any]:
    answers = {answer.question: answer for answer in claim.answers}
    turns = [f"{turn.unit} {turn.name}{' (sign)' if 'sign' in turn.changes else ''}" for turn in claim.turns]
    return {**asdict(claim), "new": answers.get("new data sets"), "these": answers.get("these data sets"), "carried": listed(turns, 6)}


def _settings(part: Part) -> dict[str, Any]:
    """Settings of method and head of each row, those of the recipe in which rows differ, those that all have, and the commands."""
    leaves = [{name: _shown(value) for name, value in flat(row["spec"]).items()} for row in part.rows]
    names = list(dict.fromkeys(name for of in leaves for name in of))
    alike = [name for name in names if len({of.get(name) for of in leaves}) == 1]
    return {
        "alike": [(name, leaves[0][name]) for name in alike if name.partition(".")[0] not in PARTS],
        "settings": [_row_settings(part, row, of, alike) for row, of in zip(part.rows, leaves, strict=True)],
        "with_recipe": any(name.partition(".")[0] not in PARTS and name not in alike for name in names),
    }


def _shown(value: Any) -> str:
    return "none" if value in (None, "", {}, []) else str(value)


def _row_settings(part: Part, row: Row, leaves: Mapping[str, str], alike: Sequence[str]) -> dict[str, Any]:
    chosen: dict[str, list[str]] = {kind: [] for kind in (*PARTS, "recipe")}
    for name, value in leaves.items():
        kind, _, setting = name.partition(".")
        if kind in PARTS:
            chosen[kind].append(f"{setting} {value}" if setting else value)
        elif name not in alike:
            chosen["recipe"].append(f"{name} {value}")
    data = next(iter(part.runs_of(row).values())).spec.without_places().data.as_dict()
    return {"label": row["label"], **{kind: ", ".join(words) for kind, words in chosen.items()}, "command": views.command(row, data)}


def _samples(part: Part) -> Iterator[tuple[str, str, str, str, str]]:
    """Data set and task, seed, shots, fingerprint and number of runs of each sample."""
    for (data, seed, shots, task), drawn in sorted(fingerprints(part.runs.values()).items()):
        for sha256, runs in sorted(drawn.items()):
            yield f"{data}, {task}", str(seed), str(shots), sha256[:DIGEST], str(len(runs))


def _cost(label: str, runs: Sequence[RunResult]) -> dict[str, Any]:
    """Parameters, mean seconds of a run, hours of all together, and the largest memory in GiB; None where no run says it."""

    def values(name: str) -> list[float]:
        return [float(run.cost[name]) for run in runs if run.cost.get(name) is not None]

    seconds = {name: statistics.fmean(values(name)) if values(name) else None for name in SECONDS}
    memory = {name: max(values(name)) / GIB if values(name) else None for name in MEMORY}
    parameters = {name: int(max(values(name))) if values(name) else None for name in ("params_trainable", "params_total")}
    hours = sum(sum(values(name)) for name in SECONDS) / 3600
    return {"label": label, "runs": len(runs), **parameters, **seconds, **memory, "hours": hours}


def _runs(part: Part) -> Iterator[dict[str, Any]]:
    """Every run of every row, with the scores."""
    for row in part.rows:
        for run in row["runs"]:
            scores = part.results[run["run_id"]].scores
            yield {"label": row["label"], **run, "scores": scores}
