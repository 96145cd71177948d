"""Metrics of a finished run, from its stored predictions: those of depthub and those of plugins."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError, NotInPredictionsError
from depthub.records.document import read
from depthub.records.predictions import Predictions
from depthub.records.result import RunResult
from depthub.registry.foreign import described, place, shown
from depthub.registry.isolation import isolated
from depthub.registry.metrics import METRICS, Metric
from depthub.registry.plugins import CORE, Plugins, installed
from depthub.statistics.metrics import BUILT_IN


def metrics(run: RunResult | Path | str, names: Sequence[str] | None = None) -> dict[str, dict[str, float]]:
    """Metrics of a run by test task and name. Nothing is trained or classified again.

    depthub has `accuracy`, `mean_per_class`, `worst_class`, `macro_f1` and `top5` in percent; `ece`, `adaptive_ece` and `brier` as
    fractions; `nll` in nats. Plugins add others, see `depthub_metrics`.

    Args:
        run: a result, or the run's folder.
        names: of the metrics, in their order; None: all.

    Returns:
        What the stored predictions give. Left out are `top5` of fewer than five classes, and of a packed run what needs scores.

    Raises:
        DepthubError: for an unknown name; and if a plugin's metric fails, or gives anything but a finite number.
    """
    plugins = installed()
    result = run if isinstance(run, RunResult) else read(Path(run))
    chosen = [plugins.get(METRICS, name) for name in (names_of(plugins) if names is None else names)]
    return {task: _of_task(result, task, chosen, plugins) for task in result.counts}


def names_of(plugins: Plugins) -> list[str]:
    """The names of all metrics: depthub's own in their order, then those of plugins by name."""
    return [*BUILT_IN, *(name for name in plugins.names(METRICS) if name not in BUILT_IN)]


def _of_task(result: RunResult, task: str, chosen: Sequence[Metric], plugins: Plugins) -> dict[str, float]:
    if task not in result.predictions:  # files of schema 1.0 have none
        return {}
    predictions = result.predictions[task]
    values = {metric.name: _value(metric, predictions, plugins) for metric in chosen}
    return {name: value for name, value in values.items() if value is not None}


def _value(metric: Metric, predictions: Predictions, plugins: Plugins) -> float | None:
    """A metric of predictions; None if they do not give it.

    Raises:
        DepthubError: if a plugin's metric fails, or gives anything but a finite number.
    """
    provider = plugins.provider(METRICS, metric.name)
    try:
        return metric.function(predictions) if provider is CORE else _foreign(metric, predictions, f"metric {metric.name!r} of {provider}")
    except NotInPredictionsError:
        return None


def _foreign(metric: Metric, predictions: Predictions, owner: str) -> float:
    """A plugin's metric of a copy of the predictions, with the process as it was afterwards."""
    try:
        with isolated(quiet=False):
            value: Any = metric.function(deepcopy(predictions))
            is_number = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
    except (KeyboardInterrupt, NotInPredictionsError):
        raise
    except BaseException as error:
        raise DepthubError(f"{owner} fails: {described(error, _package(metric))}") from error
    if not is_number:
        raise DepthubError(f"{owner} gives {shown(value)}, expected a finite number{place(metric.function)}")
    return float(value)


def _package(metric: Metric) -> str:
    """The top-level package of a metric's code; empty if it does not say."""
    return str(getattr(metric.function, "__module__", None) or "").partition(".")[0]
