"""Scores from counts, by the protocol of a run, which is loaded without any other plugin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from depthub.errors import DepthubError
from depthub.protocol import Protocol, Summary
from depthub.registry.hookspecs import GROUP
from depthub.registry.plugins import installed
from depthub.spec import RunSpec
from depthub.statistics.averages import harmonic

CLOSE = 1e-9  # percent


def protocol_of(spec: RunSpec, provenance: Mapping[str, Any]) -> Protocol | None:
    """The protocol of a run, or None if it is not installed here, or no longer takes the run's settings.

    Args:
        spec: of the run.
        provenance: of the run; its plugins name the entry point of the protocol.
    """
    entry = next((p.get("plugin", "") for p in provenance.get("plugins", ()) if p["kind"] == "protocols"), "")
    cls = _class(entry, spec.protocol.name)
    try:
        return None if cls is None else cls(**spec.protocol.settings)
    except Exception:  # settings of another version of it
        return None


def check_summary(summary: Summary, scores: Mapping[str, float], source: str) -> None:
    """Check that a summary fits the scores.

    Raises:
        DepthubError: if it names a score that is not there, or a harmonic score is not the harmonic mean of its parts.
    """
    for score in (summary.headline, *summary.harmonic, *(part for parts in summary.harmonic.values() for part in parts)):
        if score not in scores:
            raise DepthubError(f"{source}: the summary names score {score!r}, there are {', '.join(scores)}")
    for score, (one, other) in summary.harmonic.items():
        mean = harmonic(scores[one], scores[other])
        if not math.isclose(scores[score], mean, rel_tol=0, abs_tol=CLOSE):
            raise DepthubError(f"{source}: {score} is {scores[score]}, but the harmonic mean of {one} and {other} is {mean:.4f}")


@cache
def _class(entry: str, name: str) -> type[Protocol] | None:
    """The protocol class, from its plugin alone where one entry point has the name: other plugins import torch."""
    entries = [e for e in entry_points(group=GROUP) if e.name == entry] if not installed.cache_info().currsize else []
    if len(entries) == 1:
        try:
            classes = {cls.__name__: cls for cls in entries[0].load().depthub_protocols()}
            cls: Any = classes.get(name)
            if isinstance(cls, type) and issubclass(cls, Protocol):
                return cls
        except Exception:  # the plugins' own report says what is wrong with it
            return None
    plugins = installed()
    return plugins.get("protocols", name) if name in plugins.names("protocols") else None
