"""Verdicts on submissions as a comment in Markdown, which names of others cannot turn into anything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from depthub.boards.markdown import statistic
from depthub.submissions.folders import SUBMISSIONS
from depthub.submissions.preview import preview
from depthub.submissions.verdict import Verdict
from depthub.values.text import markdown as escaped

MOST = 40  # faults of a submission


def comment(outcomes: Sequence[Verdict], board: Path, before: Path | None = None) -> str:
    """The verdicts on new submissions and on those with faults, and the places of the valid ones.

    Args:
        outcomes: of all submissions of a board.
        board: its folder.
        before: the folder as it was merged before; submissions in it are not new.
    """
    earlier = {path.name for path in (before / SUBMISSIONS).iterdir()} if before and (before / SUBMISSIONS).is_dir() else set()
    chosen = [outcome for outcome in outcomes if not outcome.valid or outcome.name not in earlier]
    lines = [f"## {escaped(board.resolve().name)}", ""]
    for outcome in chosen:
        lines += [*(_place(outcome, board) if outcome.valid else _faults(outcome)), ""]
    if not chosen:
        lines += ["No new submissions; all merged ones are unchanged and valid.", ""]
    return "\n".join(lines)


def _faults(outcome: Verdict) -> Iterator[str]:
    yield f"**{escaped(outcome.name)}**: {len(outcome.faults)} fault{'' if len(outcome.faults) == 1 else 's'}"
    yield ""
    yield from (f"- {escaped(str(fault))}" for fault in outcome.faults[:MOST])
    if len(outcome.faults) > MOST:
        yield f"- and {len(outcome.faults) - MOST} more"


def _place(outcome: Verdict, board: Path) -> Iterator[str]:
    view = preview(outcome, board)
    row, setting = view.row, view.setting
    rows = sum(other["setting"] == setting["name"] for other in view.document["rows"])
    method = escaped(outcome.document["method"]["name"])
    yield f"**{escaped(outcome.name)}** ({method}) is valid: {len(outcome.results)} runs counted again."
    yield ""
    headline = setting["headline"]
    yield f"- {escaped(headline)} {statistic((row['average'] or {}).get(headline))}, rank {row['rank']} of {rows}"
    if "standing" in row:
        low, high = row["standing"]["rank"]
        least = setting["statistics"]["resolution"]["new data sets"][headline]
        yield f"- between rank {low} and {high} on new data sets; the board sees differences of {least:.1f} points"
    if row["disclosures"]:
        yield f"- used beyond the board: {', '.join(escaped(name.replace('_', ' ')) for name in row['disclosures'])}"
