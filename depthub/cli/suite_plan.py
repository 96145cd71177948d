"""The plan of a suite on the terminal."""

from __future__ import annotations

import json
from typing import Any

from jsonargparse import Namespace

from depthub.cli import suite_planning
from depthub.cli.plural import counted, duration
from depthub.suites.description import described
from depthub.suites.plan import Plan
from depthub.values.text import plain


def main(config: Namespace) -> int:
    """Show the plan."""
    planned = suite_planning.planned(config, suite_planning.executor(config))
    slots = max(1, planned.packing.slots)
    if config.json:
        print(json.dumps(summary(planned, slots, config.watts), indent=1))
    else:
        show(planned, slots, config.watts)
    return 0


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


def _time(facts: dict[str, Any], slots: int) -> str:
    if facts["runs_without_forecast"]:
        return f"unknown for {counted(facts['runs_without_forecast'], 'run')}; --tflops states a rate"
    basis = " and ".join({"runs": "runs before", "operations": "counted operations"}[source] for source in facts["forecast_from"])
    return f"about {duration(3600 * facts['hours_elapsed'])}, from {basis}" if facts["to_do"] else "nothing is to do"


def _memory(device_bytes: int | None) -> str:
    return f"{device_bytes / 2**30:.1f} GiB, as seen before" if device_bytes else "not known"
