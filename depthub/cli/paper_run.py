"""From a command line of `depthub paper` to its tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.cli import paper_plan, paper_show, suite_planning, suite_report, suite_run
from depthub.paper.exhibit import Exhibit, paper
from depthub.paper.layouts import require_packages
from depthub.paper.selection import Selection, suites_of
from depthub.running.sketched import SketchingResolver
from depthub.suites.plan import resolved
from depthub.system.activity import tell
from depthub.system.files import require_writable

if TYPE_CHECKING:
    from depthub.records.result import RunResult
    from depthub.running.resolved import Resolved
    from depthub.suites.suite import Suite

NAME = "paper"  # of the plan of all its runs
Runs = Mapping[str, Sequence["Resolved"]]  # of suites by name


def main(config: Namespace) -> int:
    """Do the runs of the exhibits that are to do, and show them; the exit status as of `depthub suite run`."""
    exhibits = paper().named(config.exhibits)
    suites = {exhibit.name: suites_of(exhibit, config.board, config.seeds or paper().seeds) for exhibit in exhibits}
    tell("reading data sets")
    resolver = SketchingResolver(config.data_root) if config.plan else suite_planning.resolver(config)
    runs = {
        exhibit.name: {name: resolved(suite.specs(), resolver) for name, suite in suites[exhibit.name].items()} if exhibit.has_runs else {}
        for exhibit in exhibits
    }
    every = list({run.run_id: run for of_exhibit in runs.values() for of_suite in of_exhibit.values() for run in of_suite}.values())
    executor = suite_planning.executor(config)
    plan = partial(suite_planning.plan_of, NAME, every, config, executor)
    if config.plan:
        absent = resolver.absent if isinstance(resolver, SketchingResolver) else []
        of_exhibits = {name: len({run.run_id for of_suite in of.values() for run in of_suite}) for name, of in runs.items()}
        return paper_plan.main(plan(), config, max(1, executor.slots), of_exhibits, absent)
    require_writable(config.out, "--out")
    require_packages(exhibits)
    planned, ended, is_out_of_time = suite_run.carry_out(plan(), plan, config, executor)
    results = {planned.runs[place].run_id: result for place, result in ended.results.items()}
    paper_show.write_and_show([_selection(exhibit, suites[exhibit.name], runs[exhibit.name], results) for exhibit in exhibits], config.out)
    return suite_report.status(planned, ended, is_out_of_time=is_out_of_time)


def _selection(exhibit: Exhibit, suites: Mapping[str, Suite], runs: Runs, results: Mapping[str, RunResult]) -> Selection:
    there = {name: [results[run.run_id] for run in of_suite if run.run_id in results] for name, of_suite in runs.items()}
    missing = {run.run_id for of_suite in runs.values() for run in of_suite} - results.keys()
    return Selection(exhibit, suites, there, len(missing))
