"""Plans: the runs of a suite, what is done of them, and what remains, in packs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from depthub.records.store import Store
from depthub.registry.plugins import installed
from depthub.running.batches import MOST, packs
from depthub.running.options import StackSize
from depthub.running.resolved import Resolved
from depthub.running.resolving import Resolver
from depthub.spec import RunSpec
from depthub.suites.forecast import Estimate, Forecast
from depthub.suites.sharing import encodings
from depthub.suites.states import UNFINISHED, State, states


@dataclass(frozen=True)
class Packing:
    """How runs are put into packs.

    Args:
        stack: see `RunOptions`.
        slots: packs that the executor does at a time; 0: unknown.
        seconds: that a pack should take at most, as far as the forecast knows; a pack has at least one run.
    """

    stack: StackSize = "auto"
    slots: int = 0
    seconds: float = 600.0


@dataclass(frozen=True, eq=False)
class Plan:
    """The runs of a suite and their states.

    Args:
        name: of the suite.
        runs: resolved, each once.
        states: of the runs.
        forecast: estimates the runs to do.
        packing: of the runs to do.
        retries: whether runs that failed are done again.
        chosen: places of the runs to which the work is confined; None: all.
    """

    name: str
    runs: Sequence[Resolved]
    states: Sequence[State]
    forecast: Forecast = field(default_factory=Forecast)
    packing: Packing = field(default_factory=Packing)
    retries: bool = False
    chosen: frozenset[int] | None = None

    @cached_property
    def to_do(self) -> list[int]:
        """Places of the runs to do; those that other processes do now are among them: they are waited for."""
        names = {*UNFINISHED, "working", *(("failed", "diverged") if self.retries else ())}
        places = range(len(self.runs)) if self.chosen is None else sorted(self.chosen)
        return [place for place in places if self.states[place].name in names]

    @cached_property
    def packs(self) -> list[list[int]]:
        """Places of the runs of each pack: the longest first, so that all slots end at about the same time."""
        remaining = [self.runs[place] for place in self.to_do]
        whole = [[self.to_do[i] for i in pack] for pack in packs(remaining, self.packing.stack, self.packing.slots)]
        parts = [part for pack in whole for part in self._divided(pack)]
        return sorted(parts, key=lambda pack: -self.seconds(pack))

    @cached_property
    def estimates(self) -> dict[int, Estimate | None]:
        """By place, of the runs to do."""
        return {place: self.forecast(self.runs[place]) for place in self.to_do}

    def seconds(self, places: Sequence[int]) -> float:
        """Expected seconds of one process; runs without an estimate count as nothing."""
        return sum(estimate.seconds for place in places if (estimate := self.estimates[place]))

    def counts(self) -> Mapping[str, int]:
        """Numbers of runs by the name of their state."""
        return Counter(state.name for state in self.states)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        alone, shared = encodings([self.runs[place] for place in self.to_do], installed())
        estimates = [estimate for estimate in self.estimates.values() if estimate]
        return {
            "suite": self.name,
            "runs": len(self.runs),
            "states": dict(self.counts()),
            "to_do": len(self.to_do),
            "packs": [[self.runs[place].run_id for place in pack] for pack in self.packs],
            "images_encoded": {"each_run_alone": alone, "shared": shared},
            "hours": self.seconds(self.to_do) / 3600,
            "runs_without_forecast": len(self.to_do) - len(estimates),
            "forecast_from": dict(Counter(estimate.source for estimate in estimates)),
            "device_bytes": max((estimate.device_bytes for estimate in estimates), default=0) or None,
        }

    def _divided(self, pack: list[int]) -> list[list[int]]:
        """A pack in parts that take no longer than they should."""
        longest = max((estimate.seconds for place in pack if (estimate := self.estimates[place])), default=0.0)
        size = max(1, min(MOST, int(self.packing.seconds / longest))) if longest else MOST
        return [pack[i : i + size] for i in range(0, len(pack), size)]


def resolved(specs: Sequence[RunSpec], resolver: Resolver) -> list[Resolved]:
    """Resolved runs, each once: two specs may turn out to be the same run.

    Raises:
        DepthubError: for the first spec that cannot be resolved.
    """
    runs: dict[str, Resolved] = {}
    for spec in specs:
        run = resolver(spec)
        runs.setdefault(run.run_id, run)
    return list(runs.values())


def plan(
    name: str,
    runs: Sequence[Resolved],
    store: Store,
    forecast: Forecast,
    packing: Packing,
    *,
    retries: bool = False,
    chosen: frozenset[int] | None = None,
) -> Plan:
    """The plan of a suite, from what its store holds.

    Args:
        name: of the suite.
        runs: resolved.
        store: of the results.
        forecast: learns from the results of the suite.
        packing: of the runs to do.
        retries: whether runs that failed are done again.
        chosen: places of the runs to which the work is confined; None: all.

    Raises:
        DepthubError: if the store cannot be read.
    """
    present = states(runs, store)
    forecast.learn(state.costs for state in present if state.name == "done")
    return Plan(name, runs, present, forecast, packing, retries, chosen)
