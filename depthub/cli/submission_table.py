"""Tables of `depthub submit` and `depthub leaderboard`: the place of a row, two rows beside one another, claims, runs done again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from depthub.cli.output import number_table, show_table
from depthub.cli.table import shown
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.boards.pairs import Pair
    from depthub.records.result import RunResult
    from depthub.submissions.preview import Preview


def show_board(document: Mapping[str, Any]) -> None:
    """A leaderboard in the terminal: for each setting what it can tell apart, then the averages of its rows."""
    for setting in document["settings"]:
        rows = [row for row in document["rows"] if row["setting"] == setting["name"]]
        show_setting(setting, rows)


def show_setting(setting: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], marked: str = "") -> None:
    """The averages of rows, after what their setting can tell apart.

    Args:
        setting: of a leaderboard.
        rows: of the setting.
        marked: label of a row to point at.
    """
    print(plain(f"{setting['name']}: {resolution(setting)}"))
    table = number_table("", "row", "level", numbers=[*setting["scores"], "ranks"])
    for row in rows:
        scores = [f"{row['average'][score]['mean']:.2f}" if score in (row["average"] or {}) else "-" for score in setting["scores"]]
        ranks = "{} to {}".format(*row["standing"]["rank"]) if "standing" in row else str(row["rank"])
        table.add_row(">" if row["label"] == marked else "", shown(row["label"]), row.get("level", "self-run"), *scores, ranks)
    show_table(table)


def resolution(setting: Mapping[str, Any]) -> str:
    """What a setting can tell apart, in a sentence."""
    if "statistics" not in setting:
        return "resolution unknown, rows need two data sets and two seeds in common"
    least = setting["statistics"]["resolution"]["new data sets"][setting["headline"]]
    return f"sees differences of {least:.1f} points of {setting['headline']} (new data sets, 80 % power)"


def show_place(view: Preview) -> None:
    """Where a submission would stand."""
    setting, row = view.setting, view.row
    rows = [other for other in view.document["rows"] if other["setting"] == setting["name"]]
    show_setting(setting, rows, row["label"])
    if "standing" in row:
        low, high = row["standing"]["rank"]
        interval = row["standing"]["from_best"]
        behind = "the best" if interval is None else f"{interval[0]:+.2f} to {interval[1]:+.2f} points from the best"
        print(plain(f"{row['label']}: rank {row['rank']} of {len(rows)}, between {low} and {high} on new data sets; {behind}"))
    for name in row["disclosures"]:
        print(plain(f"shown with the row: {name.replace('_', ' ')}"))


def show_claims(document: Mapping[str, Any]) -> None:
    """Printed numbers beside the measured ones."""
    from depthub.submissions.rows import claims_beside

    claims = claims_beside(document)
    if not claims:
        return
    table = number_table("in print", numbers=["printed", "measured", "difference"])
    for place, value, measured in claims:
        difference = "-" if measured is None else f"{measured - value:+.2f}"
        table.add_row(shown(place), f"{value:.2f}", "-" if measured is None else f"{measured:.2f}", difference)
    show_table(table)


def show_pairs(one: str, other: str, pairs: Sequence[Pair]) -> None:
    """Two rows image by image."""
    table = number_table("data", "task", numbers=["images", "difference", "only first", "only second", "p", "p corrected"])
    for pair in pairs:
        counts = (f"{pair.images:,}", f"{pair.difference:+.2f}", f"{pair.first:,}", f"{pair.second:,}")
        table.add_row(shown(pair.data), shown(pair.task), *counts, f"{pair.p_value:.3f}", f"{pair.corrected:.3f}")
    notes = [
        f"{one} minus {other}, in points; only first, only second: images that this row has right with more seeds than the other.",
        "p: exact test over images (McNemar): these data sets and these trained models, other images; corrected by Holm for all lines.",
    ]
    show_table(table, notes)


def show_verification(submitted: RunResult, reproduced: RunResult) -> None:
    """The counts of a run and of the same run here."""
    for task, count in submitted.counts.items():
        again = reproduced.counts[task].n_correct if task in reproduced.counts else None
        place = f"{submitted.spec.data.name}, seed {submitted.spec.seed}, {task}"
        print(plain(f"{place}: {count.n_correct}/{count.n_total} submitted, {'-' if again is None else again} here"), flush=True)
