"""Leagues: what a method may use beside the labelled images of a board. Rows of other leagues are not ranked together."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LEAGUES = {
    "S": "the labelled images of the board alone",
    "T": "also texts of the classes, by a language model or a person",
    "U": "also other images, names of the new classes, or a teacher",
}
LEAST, TEXTS = "S", "T"
# a disclosure of a submission, and the league of a row with it
IMPLIED = {"language_model_texts": "T", "extra_images": "U", "unlabelled_images": "U", "teacher": "U", "new_class_names": "U"}


def league_of(row: str) -> str:
    """The league of a row by the names of its parts, as "KgCoOp+DePT", that of the part with the most means; empty if a part is unknown."""
    leagues = _leagues()
    name = row.partition(",")[0].strip()
    parts = [leagues.get(part.strip(), "") for part in name.split("+")]
    return leagues.get(name) or (max(parts) if all(parts) else "")


def implied(disclosures: Mapping[str, object]) -> str:
    """The league that disclosures put a row into."""
    return max([LEAST, *(league for name, league in IMPLIED.items() if disclosures.get(name) is True)])


@cache
def _leagues() -> Mapping[str, str]:
    text = files("depthub.literature").joinpath("leagues.csv").read_text(encoding="utf-8")
    return {line["method"]: line["league"] for line in csv.DictReader(text.splitlines())}
