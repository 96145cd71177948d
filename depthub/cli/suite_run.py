"""The execution of a suite."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.cli import suite_plan, suite_planning, suite_report
from depthub.cli.options import run_specs
from depthub.cli.suite_progress import SuiteProgress
from depthub.cli.time_limit import time_limit
from depthub.records.store import Store
from depthub.suites.description import described
from depthub.suites.execution import Ended, begin, collect, execute, set_damaged_aside
from depthub.suites.manifest import Manifest
from depthub.system.files import require_writable
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.executor import Executor
    from depthub.suites.plan import Plan


def main(config: Namespace) -> int:
    """Do the runs that are to do, and write the leaderboard; the exit status: 0, 1 if runs failed, 3 if the time was up before the end."""
    executor = suite_planning.executor(config)
    planned = suite_planning.planned(config, executor)
    if config.dry_run:
        suite_plan.show(planned, max(1, executor.slots), config.watts)
        return 0
    out = config.out or Path("boards") / planned.name
    require_writable(out, "--out")
    planned, ended, is_out_of_time = carry_out(planned, lambda: suite_planning.planned(config, executor), config, executor)
    suite_report.write_board(planned, ended, out)
    return suite_report.status(planned, ended, is_out_of_time=is_out_of_time)


def carry_out(planned: Plan, again: Callable[[], Plan], config: Namespace, executor: Executor) -> tuple[Plan, Ended, bool]:
    """Do the runs of a plan that are to do.

    Args:
        planned: the plan.
        again: makes it anew, after damaged results were set aside.
        config: the command line, with the options of how runs are done, and `max_hours`.
        executor: of the runs.

    Returns:
        The plan, all results and failures, and whether the time was up before the end.
    """
    store = Store(config.runs)
    aside = list(set_damaged_aside(planned, store))
    if aside:
        planned = again()
    manifest = Manifest(planned.name, {run.run_id: described(run) for run in planned.runs})
    for line in (*aside, manifest.changes(Manifest.read(store.root, planned.name))):
        if line:
            print(f"depthub: note: {plain(line)}", file=sys.stderr)
    begin(planned, store, run_specs.options(config))
    manifest.write(store.root)
    ended = Ended()
    with SuiteProgress(planned, store) as display, time_limit(config.max_hours):
        execute(planned, store, run_specs.options(config), executor, ended, display.on_end)
    collect(planned, store, ended)
    return planned, ended, display.out_of_time
