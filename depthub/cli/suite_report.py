"""What the execution of a suite ends with: its leaderboard, its failures, and the exit status."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from depthub import boards
from depthub.cli.plural import counted
from depthub.suites.description import described
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.suites.execution import Ended
    from depthub.suites.plan import Plan

FAILED, OUT_OF_TIME = 1, 3  # exit statuses


def write_board(planned: Plan, ended: Ended, out: Path) -> None:
    """Write the leaderboard of the finished runs, if there are any."""
    finished = list(ended.results.values())
    if finished:
        files = boards.write(boards.board(finished, planned.name), out)
        print(plain(f"{len(finished)} of {counted(len(planned.runs), 'run')}: {', '.join(map(str, files))}"))


def status(planned: Plan, ended: Ended, *, is_out_of_time: bool) -> int:
    """The exit status of an execution, after a line for each run that failed.

    Args:
        planned: the plan.
        ended: its results and failures.
        is_out_of_time: whether the time was up before the end.
    """
    for place, error in sorted(ended.errors.items()):
        run = planned.runs[place]
        print(plain(f"failed: {run.run_id[:12]} {described(run)}: {error}"), file=sys.stderr)
    if ended.errors:
        print(f"{counted(len(ended.errors), 'run')} failed; --retry-failed does them again", file=sys.stderr)
    return OUT_OF_TIME if is_out_of_time else FAILED if ended.errors else 0
