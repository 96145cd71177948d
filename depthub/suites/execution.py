"""The execution of a plan: packs through an executor, every result in the store at once, and at the end a board."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from depthub.errors import DepthubError
from depthub.executor import Executor
from depthub.records import failures
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.running.options import RunOptions
from depthub.running.packs import through
from depthub.running.resolved import Resolved
from depthub.suites.plan import Plan
from depthub.suites.rehearsal import rehearse
from depthub.values.text import plain

DAMAGED = ".damaged"  # folder for what cannot be read, in the folder of runs
OnEnd = Callable[[Resolved, "RunResult | Exception"], None]


@dataclass
class Ended:
    """What an execution leaves.

    Args:
        results: of runs, by place in the plan.
        errors: of runs that failed now or before, by place.
    """

    results: dict[int, RunResult] = field(default_factory=dict)
    errors: dict[int, Exception] = field(default_factory=dict)


def begin(plan: Plan, store: Store, options: RunOptions) -> None:
    """Refuse what would fail in every run, before anything is written.

    Raises:
        DepthubError: if the store cannot be written, or the method or head of a row cannot be made.
    """
    store.require_writable()
    rehearse(plan, options)


def execute(plan: Plan, store: Store, options: RunOptions, executor: Executor, ended: Ended, on_end: OnEnd) -> None:
    """Do the runs of a plan that are to do; a failed run does not stop the others.

    Args:
        plan: of the suite.
        store: of the results.
        options: of the runs.
        executor: does the packs.
        ended: takes results and failures as they come, so that they are there also if the execution is cut off.
        on_end: called with each run that ends and its result or error.
    """
    places = [place for pack in plan.packs for place in pack]
    ends = iter(range(len(places)))
    packs = [[next(ends) for _ in pack] for pack in plan.packs]
    runs = [plan.runs[place] for place in places]
    with closing(through(executor, runs, packs, store, options)) as outcomes:
        for index, outcome, _ in outcomes:
            _take(ended, places[index], outcome)
            on_end(runs[index], outcome)


def collect(plan: Plan, store: Store, ended: Ended) -> None:
    """Add the results and failures of the runs that were not done now, read with every check.

    Args:
        plan: of the suite.
        store: of the results.
        ended: of the execution; completed.
    """
    for place, run in enumerate(plan.runs):
        if place not in ended.results and place not in ended.errors:
            failure = failures.read(store.path(run.spec))
            try:
                result = store.load(run.spec)
            except DepthubError as error:
                ended.errors[place] = error
            else:
                if result or failure:
                    _take(ended, place, result or failure.as_error())  # type: ignore[union-attr]


def set_damaged_aside(plan: Plan, store: Store) -> Iterator[str]:
    """Move results that cannot be read, or do not hold what they say, out of the way, so that their runs are done again.

    Args:
        plan: of the suite, before it is carried out.
        store: of the results.

    Yields:
        A line for each: the fault and the new place.
    """
    for run, state in zip(plan.runs, plan.states, strict=True):
        if state.name not in ("done", "damaged"):
            continue
        try:
            store.load(run.spec)
        except DepthubError as error:
            yield plain(f"{error}; set aside: {_move(store.path(run.spec), store.root / DAMAGED)}")


def _take(ended: Ended, place: int, outcome: RunResult | Exception) -> None:
    if isinstance(outcome, Exception):
        ended.errors[place] = outcome
    else:
        ended.results[place] = outcome


def _move(folder: Path, aside: Path) -> Path:
    number = sum(1 for _ in aside.glob(f"{folder.name}-*")) + 1
    place = aside / f"{folder.name}-{number}"
    aside.mkdir(parents=True, exist_ok=True)
    shutil.move(folder, place)
    return place
