"""Pages of publications: their printed numbers, what these can tell apart, and where they contradict themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from depthub.literature.claims import claims, missing_controls, mixed_leagues
from depthub.literature.printed import published
from depthub.literature.publications import publications
from depthub.literature.reported import RANKING, reported


def papers() -> list[dict[str, Any]]:
    """A page's content for each publication that comes with depthub."""
    return [_paper(name) for name in publications()]


def _paper(name: str) -> dict[str, Any]:
    content, numbers = reported(name), published(name)
    tables = [_table(table) for table in content["tables"]]
    contradictions = [line for table in tables for row in table["rows"] for line in row["contradictions"]]
    gains = [gain for score in ("H", "base", "new", "target") for gain in claims(numbers, score)]
    remarks = [*missing_controls(numbers), *mixed_leagues(numbers)]
    return {**content, "slug": name, "tables": tables, "contradictions": contradictions, "gains": gains, "remarks": remarks}


def _table(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table with the score that its cells are shown by, and the scores that have averages."""
    cells = {score for row in table["rows"] for scores in row["per_data"].values() for score in scores}
    ranking = next((score for score in RANKING if score in cells), next(iter(sorted(cells)), ""))
    averaged = list(dict.fromkeys(score for row in table["rows"] for score in row["average"]["printed"]))
    recomputed = any(row["average"]["recomputed"] for row in table["rows"])
    return {**table, "ranking": ranking, "averaged": averaged, "recomputed": recomputed}
