"""From a command line of `depthub suite` to a plan."""

from __future__ import annotations

import gc
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.cli.options import run_specs
from depthub.errors import DepthubError
from depthub.records.store import Store
from depthub.registry.plugins import installed
from depthub.running.resolving import Resolver
from depthub.suites import rate
from depthub.suites.description import described
from depthub.suites.forecast import Forecast
from depthub.suites.operations import counter
from depthub.suites.plan import Packing, Plan, plan, resolved
from depthub.suites.reading import read_suite
from depthub.system.activity import tell

if TYPE_CHECKING:
    from depthub.executor import Executor
    from depthub.running.resolved import Resolved


def executor(config: Namespace) -> Executor:
    """The executor of a command line; by default the processes of this machine."""
    chosen = run_specs.executor(config)
    return chosen or installed().get("executors", "Local")()


def planned(config: Namespace, executor: Executor) -> Plan:
    """The plan of a command line."""
    suite = read_suite(config.suite, config.board)
    gc.freeze()  # of plugins and torch: each collection would look through them in vain
    tell(f"reading data sets of {suite.name}")
    return plan_of(suite.name, resolved(suite.specs(), resolver(config)), config, executor, config.only)


def resolver(config: Namespace) -> Resolver:
    """Resolves the runs of a command line."""
    return Resolver(config.data_root, download=config.download, cache=config.cache)


def plan_of(name: str, runs: Sequence[Resolved], config: Namespace, executor: Executor, only: Sequence[str] = ()) -> Plan:
    """The plan of runs.

    Args:
        name: of the plan.
        runs: resolved, each once.
        config: the command line, with the options of how runs are done.
        executor: of the runs.
        only: texts of which a run's description has to have one; none: all runs.
    """
    tell("comparing with what is done")
    forecast = Forecast()
    store, packing = Store(config.runs), Packing(config.stack, executor.slots, 60 * config.pack_minutes)
    result = plan(name, runs, store, forecast, packing, retries=config.retry_failed, chosen=_chosen(runs, only))
    if any(forecast(result.runs[place]) is None for place in result.to_do):
        forecast.rate, forecast.work = 1e12 * config.tflops or rate.measured(), counter(runs, installed())
    return result


def _chosen(runs: Sequence[Resolved], texts: Sequence[str]) -> frozenset[int] | None:
    """Places of the runs whose description has one of the texts; None if there are no texts."""
    if not texts:
        return None
    words = [re.compile(rf"(?<!\w){re.escape(text)}", re.IGNORECASE) for text in texts]  # CoOp is not the end of KgCoOp
    chosen = frozenset(place for place, run in enumerate(runs) if any(word.search(described(run)) for word in words))
    if not chosen:
        raise DepthubError(f"--only {' '.join(texts)} fits none of {len(runs)} runs; one of them is {described(runs[0])!r}")
    return chosen
