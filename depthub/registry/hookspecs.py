"""The hooks a plugin may implement. A plugin is a module named in the entry-point group `depthub`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from depthub import DataSet, Executor, Head, Method, NamedBackbone, Protocol, RunResult, RunSpec

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
    """Data sets: instances, each with a name. Nothing is read before a run asks for it."""


@hookspec
def depthub_backbones() -> Iterable[NamedBackbone]:  # type: ignore[empty-body]
    """Backbones under a name of their own: instances that say where the model is. None is loaded before a run asks for it."""


@hookspec
def depthub_executors() -> Iterable[type[Executor]]:  # type: ignore[empty-body]
    """Executor classes: where runs go. A class's own name is its public name; its constructor's keyword arguments are its settings."""


@hookspec
def depthub_run_started(spec: RunSpec) -> None:
    """A run begins. Called in the process that does the run, on the main process only, with a copy of the spec: changing it has no effect,
    nor has changing the process (generators, torch's defaults, environment, signal handlers), which is put back.
    """


@hookspec
def depthub_run_finished(result: RunResult) -> None:
    """A run ended and its file is written. Called as `depthub_run_started` is, with a copy of the result."""
