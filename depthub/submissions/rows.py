"""The runs of a submission as one row of a board: its aggregates, and what its submitter declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from depthub.boards.rows import Declared, Level, settings
from depthub.boards.setting import aggregates as of_row
from depthub.literature.leagues import IMPLIED
from depthub.records.result import RunResult

NOT_LEAGUES = ("test_time_adaptation", "tuned_on_new_classes", "tuned_on_test", "per_data_settings")
DISCLOSURES = (*IMPLIED, *NOT_LEAGUES)


def declared(document: Mapping[str, Any], level: Level) -> Declared:
    """What a submission's document says about its row."""
    return Declared(
        document["id"],
        level,
        document["league"],
        tuple(name for name in DISCLOSURES if document["disclosures"][name]),
    )


def aggregates(results: Sequence[RunResult]) -> dict[str, Any]:
    """Means and deviations of one row by data set and on average, as a board with this row alone gives them.

    Args:
        results: the runs of the row.
    """
    declaration = Declared("row", "self-run", "S")
    runs = {run.spec.run_id: run for run in results}
    ((row,),) = settings(runs, dict.fromkeys(runs, declaration))
    return of_row(row)


def claims_beside(document: Mapping[str, Any]) -> Sequence[tuple[str, float, float | None]]:
    """(place, printed, measured) of each claim of a submission's document, in percent."""
    lines = []
    for claim in document["claims"]:
        scores = (
            document["aggregates"]["average"] if claim["data"] == "average" else document["aggregates"]["per_data"].get(claim["data"], {})
        )
        measured = scores.get(claim["score"])
        lines.append((f"{claim['where']}, {claim['data']}, {claim['score']}", claim["value"], measured and measured["mean"]))
    return lines
