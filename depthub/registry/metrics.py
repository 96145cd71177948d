"""Metrics of plugins: their form, and the checks of it.

A metric is a function of a task's predictions, not a class with settings; hence it has a path of its own beside the kinds of components.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from depthub.registry.admission import LONGEST, NAME
from depthub.registry.foreign import shown
from depthub.statistics.metrics import BUILT_IN, MetricFunction

METRICS = "metrics"  # the hook is `depthub_metrics`


@dataclass(frozen=True)
class Metric:
    """A metric under its public name.

    Args:
        name: letters, digits, '_', '-' and '.'.
        function: of the predictions of a task; gives a finite number.
    """

    name: str
    function: MetricFunction


BUILT_IN_METRICS = tuple(Metric(name, function) for name, function in BUILT_IN.items())


def members(result: Any, most: int) -> list[Metric]:
    """The metrics that a hook gives, unchecked.

    Args:
        result: of the hook.
        most: of them are read.

    Raises:
        TypeError: if it is not a mapping.
    """
    if not isinstance(result, Mapping):
        raise TypeError(f"{shown(result)} is not a dictionary of functions by name")
    return [Metric(name, function) for name, function in islice(result.items(), most)]


def admit(metric: Metric) -> tuple[str, list[str]]:
    """Name and faults of a metric; usable only without faults."""
    faults = [*_faults(metric)]
    return ("" if faults else metric.name), faults


def _faults(metric: Metric) -> Iterator[str]:
    if type(metric.name) is not str or not NAME.fullmatch(metric.name) or len(metric.name) > LONGEST:
        yield f"gives a metric with name {shown(metric.name)}, expected letters, digits, '_', '-' and '.'"
    elif not callable(metric.function) or inspect.isclass(metric.function):
        yield f"metric {metric.name!r} is {shown(metric.function)}, expected a function of predictions"
    elif signature := _refusing(metric.function):
        yield f"metric {metric.name!r} takes {signature}, expected (predictions)"


def _refusing(function: MetricFunction) -> str:
    """The signature of a function that cannot be called with predictions alone; empty of one that can, and where it is not known."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return ""
    try:
        signature.bind(None)
    except TypeError:
        return str(signature)
    return ""
