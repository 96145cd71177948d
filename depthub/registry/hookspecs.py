"""The hooks a plugin may implement. A plugin is a module named in the entry-point group `depthub`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from depthub import DataSet, Executor, Head, Method, NamedBackbone, NamedTexts, Predictions, Protocol, RunResult, RunSpec

GROUP = "depthub"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def depthub_methods() -> Iterable[type[Method]]:  # type: ignore[empty-body]
    """Method classes. A class's own name is its public name; the keyword arguments of its constructor are its settings."""


@hookspec
def depthub_heads() -> Iterable[type[Head]]:  # type: ignore[empty-body]
    """Head classes. A class's own name is its public name; the keyword arguments of its constructor are its settings."""


@hookspec
def depthub_protocols() -> Iterable[type[Protocol]]:  # type: ignore[empty-body]
    """Evaluation-protocol classes. A class's own name is its public name; the keyword arguments of its constructor are its settings."""


@hookspec
def depthub_datasets() -> Iterable[DataSet]:  # type: ignore[empty-body]
    """Data sets: instances, each with a name. No file is read before a run needs it."""


@hookspec
def depthub_backbones() -> Iterable[NamedBackbone]:  # type: ignore[empty-body]
    """Backbones under names of their own: instances that name the place of the model. No model is loaded before a run needs it."""


@hookspec
def depthub_executors() -> Iterable[type[Executor]]:  # type: ignore[empty-body]
    """Executor classes: where runs are executed. A class's own name is its public name; its constructor's keywords are its settings."""


@hookspec
def depthub_texts() -> Iterable[NamedTexts]:  # type: ignore[empty-body]
    """Files of class texts under names of their own: instances that name the path. No file is read before a run uses it."""


@hookspec
def depthub_metrics() -> Mapping[str, Callable[[Predictions], float]]:  # type: ignore[empty-body]
    """Metrics by their public names: functions of the predictions of a test task. Each gives a finite number, and is called with a copy of
    its own, for `depthub runs metrics` and `depthub.metrics`; no run is repeated, and no run's result depends on it.
    """


@hookspec
def depthub_run_started(spec: RunSpec) -> None:
    """A run begins. Called in the main process of the run with a copy of the spec. Changes of the spec have no effect; changes of the
    process (random generators, torch's defaults, environment, signal handlers) are undone.
    """


@hookspec
def depthub_run_finished(result: RunResult) -> None:
    """A run is finished and its file is written. Called like `depthub_run_started`, with a copy of the result."""
