"""The plan of a suite on the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from depthub.cli.options import run_specs
from depthub.cli.plural import counted
from depthub.errors import DepthubError
from depthub.suites.description import described
from depthub.suites.forecast import Forecast
from depthub.suites.plan import Packing, Plan, plan, resolved
from depthub.system.activity import tell
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.executor import Executor
    from depthub.running.resolved import Resolved

TRIAL = 1024  # rows of the square matrices whose product measures this machine


def main(config: Namespace) -> int:
    """Show the plan."""
    planned = planned_from(config, executor_of(config))
    slots = max(1, planned.packing.slots)
    if config.json:
        print(json.dumps(summary(planned, slots, config.watts), indent=1))
    else:
        show(planned, slots, config.watts)
    return 0


def executor_of(config: Namespace) -> Executor:
    """The executor of a command line; by default the processes of this machine."""
    from depthub.registry.plugins import installed

    chosen = run_specs.executor(config)
    return chosen or installed().get("executors", "Local")()


def planned_from(config: Namespace, executor: Executor) -> Plan:
    """The plan of a command line."""
    from depthub.records.store import Store
    from depthub.running.resolving import Resolver
    from depthub.suites.reading import read_suite

    suite = read_suite(config.suite, config.board)
    tell(f"reading data sets of {suite.name}")
    runs = resolved(suite.specs(), Resolver(config.data_root, download=config.download, cache=config.cache))
    tell("comparing with what is done")
    forecast = Forecast()
    store, packing = Store(config.runs), Packing(config.stack, executor.slots, 60 * config.pack_minutes)
    planned = plan(suite.name, runs, store, forecast, packing, retries=config.retry_failed, chosen=_chosen(runs, config.only))
    if any(forecast(planned.runs[place]) is None for place in planned.to_do):
        from depthub.registry.plugins import installed
        from depthub.suites.operations import counter

        forecast.rate, forecast.operations = 1e12 * config.tflops or _rate(), counter(runs, installed())
    return planned


def show(planned: Plan, slots: int, watts: float) -> None:
    """Print a plan.

    Args:
        planned: the plan.
        slots: packs that are done at a time, at least 1.
        watts: power of the machine; 0: not known.
    """
    from rich.console import Console
    from rich.table import Table

    facts = summary(planned, slots, watts)
    table = Table(title=plain(f"suite {planned.name}"), show_header=False, box=None, padding=(0, 2, 0, 0), title_justify="left")
    states = ", ".join(f"{number} {name}" for name, number in facts["states"].items())
    alone, shared = facts["images_encoded"]["each_run_alone"], facts["images_encoded"]["shared"]
    rows = [
        ("runs", f"{facts['runs']} ({states})"),
        ("to do", f"{facts['to_do']} in {counted(len(facts['packs']), 'pack')}, {slots} at a time"),
        ("largest pack", counted(max(map(len, facts["packs"]), default=0), "run")),
        ("images to encode", f"{shared:,} shared; {alone:,} if each run were alone"),
        ("time", _time(facts, slots)),
        ("device memory", _memory(facts["device_bytes"])),
        ("energy", f"{facts['energy_kwh']:.2f} kWh at {watts:.0f} W" if watts else "unknown; --watts states the machine's power"),
    ]
    for name, value in rows:
        table.add_row(name, plain(value))
    console = Console(highlight=False)
    console.print(table)
    for place, state in enumerate(planned.states):
        if state.note:
            console.print(plain(f"{state.name}: {described(planned.runs[place])}: {state.note}"), markup=False, soft_wrap=True)


def summary(planned: Plan, slots: int, watts: float) -> dict[str, Any]:
    """A plan as plain data, with the hours of all processes together."""
    facts = planned.as_dict()
    facts["hours_elapsed"] = max(facts["hours"] / slots, max((planned.seconds(pack) for pack in planned.packs), default=0.0) / 3600)
    facts["energy_kwh"] = facts["hours_elapsed"] * watts / 1000 if watts else None
    return facts


def duration(seconds: float) -> str:
    """Seconds in words: `45 s`, `12 min`, `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _time(facts: dict[str, Any], slots: int) -> str:
    if facts["runs_without_forecast"]:
        return f"unknown for {counted(facts['runs_without_forecast'], 'run')}; --tflops states a rate"
    basis = " and ".join({"runs": "runs before", "operations": "counted operations"}[source] for source in facts["forecast_from"])
    return f"about {duration(3600 * facts['hours_elapsed'])}, from {basis}" if facts["to_do"] else "nothing is to do"


def _memory(device_bytes: int | None) -> str:
    return f"{device_bytes / 2**30:.1f} GiB, as seen before" if device_bytes else "not known"


def _chosen(runs: Sequence[Resolved], texts: Sequence[str]) -> frozenset[int] | None:
    """Places of the runs whose description has one of the texts; None if there are no texts."""
    if not texts:
        return None
    chosen = frozenset(place for place, run in enumerate(runs) if any(text.lower() in described(run).lower() for text in texts))
    if not chosen:
        raise DepthubError(f"--only {' '.join(texts)} fits none of {len(runs)} runs; one of them is {described(runs[0])!r}")
    return chosen


def _rate() -> float:
    """Operations per second of one process of this machine: the best of some products of matrices."""
    import torch

    left = torch.ones(TRIAL, TRIAL, device="cuda" if torch.cuda.is_available() else "cpu")
    seconds = []
    for _ in range(4):
        start = perf_counter()
        (left @ left)[0, 0].item()
        seconds.append(perf_counter() - start)
    return 2 * TRIAL**3 / min(seconds)


def out_folder(config: Namespace, name: str) -> Path:
    """Where the leaderboard of a suite goes."""
    return config.out or Path("boards") / name
