"""The verdict on a submission in the terminal: its faults, or its place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from depthub.cli.plural import counted
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.submissions.verdict import Verdict


def show_valid(verdict: Verdict, folder: Path) -> int:
    """The place of a valid submission on its board; the exit status is 0."""
    from depthub.cli.submission_table import show_claims, show_place
    from depthub.submissions.preview import preview

    print(plain(f"{verdict.name} is valid: {counted(len(verdict.results), 'run')}, every prediction counted"))
    show_place(preview(verdict, folder))
    show_claims(verdict.document)
    return 0


def show_faults(verdict: Verdict, title: str) -> int:
    """Every fault of a submission; the exit status is 1."""
    print(plain(title))
    for fault in verdict.faults:
        print(f"- {fault}")
    return 1
