"""What a setting of a leaderboard can tell apart: its resolution, groups of rows, and how far each row's place is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from depthub.boards.rows import Row
from depthub.protocol import Summary
from depthub.statistics.averages import CONVENTION, Convention
from depthub.statistics.bootstrap import ROUNDS, Question, bootstrap
from depthub.statistics.comparisons import groups, mean_ranks, reliability
from depthub.statistics.resolution import board_resolutions
from depthub.statistics.table import Array, Table

QUESTION: Question = "new data sets"  # of intervals, ranks and groups
CONFIDENCE = 0.95
MANY, FEWER = 200, 2_000  # rows of a setting from which on fewer rounds have to do, and groups are not looked for
DIGITS = 2  # of points


def standing(rows: Sequence[Row], data: Sequence[str], summary: Summary, how: Convention) -> tuple[dict[str, Any], dict[str, Any]]:
    """The statistics of a setting, and of each row by its label; both empty where there are no two rows, data sets and seeds in common, and
    for another average of harmonic scores than the field's.

    Args:
        rows: with labels.
        data: the data sets that all of them have.
        summary: of their scores.
        how: average of harmonic scores over data sets.
    """
    table = _table(rows, data, summary)
    if table is None or how != CONVENTION:
        return {}, {}
    rounds = ROUNDS if len(rows) <= MANY else FEWER
    draws = bootstrap(table, summary.headline, QUESTION, rounds=rounds)
    cells, ranks, chances = table.per_cell(summary.headline), draws.rank_interval(), draws.best()
    best = int(draws.observed.argmax())
    alike = groups(draws.different(CONFIDENCE)) if len(rows) <= MANY else None
    of_setting = {
        "question": QUESTION,
        "confidence": CONFIDENCE,
        "rounds": rounds,
        "seeds": table.seeds,
        "resolution": _resolution(table),
        "groups": alike if alike is None else [[rows[place].label for place in group] for group in alike],
        "optimism": round(draws.optimism(), DIGITS),
        "ranks": _ranks(rows, cells.mean(axis=2)),
        "reliability": {
            name: None if np.isnan(tau) else round(float(tau), DIGITS) for name, tau in zip(data, reliability(cells), strict=True)
        },
    }
    of_rows = {
        row.label: {
            "from_best": None if place == best else [round(end, DIGITS) for end in draws.difference(place, best, CONFIDENCE)],
            "rank": [int(end) for end in ranks[place]],
            "best": round(float(chances[place]), DIGITS),
        }
        for place, row in enumerate(rows)
    }
    return of_setting, of_rows


def _resolution(table: Table) -> dict[str, dict[str, float]]:
    """By question, then score, in points."""
    of_scores = {score: board_resolutions(table.per_cell(score)) for score in _scores(table)}
    return {question: {score: round(of_scores[score][question], DIGITS) for score in of_scores} for question in get_args(Question)}


def _ranks(rows: Sequence[Row], per_set: Array) -> dict[str, Any]:
    ranks = mean_ranks(np.round(per_set, 9))
    return {
        "mean": {row.label: round(float(rank), DIGITS) for row, rank in zip(rows, ranks.mean, strict=True)},
        "friedman_p": None if np.isnan(ranks.p_value) else float(f"{ranks.p_value:.3g}"),
        "critical_difference": round(ranks.critical_difference, DIGITS),
    }


def _scores(table: Table) -> list[str]:
    return [*table.scores, *table.harmonic]


def _table(rows: Sequence[Row], data: Sequence[str], summary: Summary) -> Table | None:
    """The scores on the data sets and seeds that all rows have; None if there are no two of each."""
    seeds = sorted(set.intersection(*(set(row.cells[name]) for row in rows for name in data))) if data else []
    if min(len(rows), len(data), len(seeds)) < 2:
        return None
    runs = [[[row.scores(name)[seed] for seed in seeds] for name in data] for row in rows]
    names = [name for name in _common(runs) if name not in summary.harmonic]
    scores = {name: np.array([[[run[name] for run in of_set] for of_set in of_row] for of_row in runs]) for name in names}
    return Table([row.label for row in rows], data, scores, summary.harmonic)


def _common(runs: Sequence[Sequence[Sequence[Mapping[str, float]]]]) -> list[str]:
    """Names of the scores that all runs have, in their order."""
    flat = [run for of_row in runs for of_set in of_row for run in of_set]
    return [name for name in flat[0] if all(name in run for run in flat)]
