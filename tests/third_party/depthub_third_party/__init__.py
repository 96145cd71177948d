"""Image prompts, a prototype head, a protocol and a data set: a third party's plugin, written with depthub's public names alone."""

from __future__ import annotations

from depthub import DataSet, Head, Method, Protocol, RunResult, hookimpl
from depthub_third_party.head import Prototypes
from depthub_third_party.method import VisualPrompts
from depthub_third_party.protocol import AllClasses
from depthub_third_party.squares import Squares

finished: list[RunResult] = []  # results that the run event received, for the tests
__all__ = ["AllClasses", "Prototypes", "Squares", "VisualPrompts", "finished"]


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [VisualPrompts]


@hookimpl
def depthub_heads() -> list[type[Head]]:
    return [Prototypes]


@hookimpl
def depthub_protocols() -> list[type[Protocol]]:
    return [AllClasses]


@hookimpl
def depthub_datasets() -> list[DataSet]:
    return [Squares()]


@hookimpl
def depthub_run_finished(result: RunResult) -> None:
    finished.append(result)
