"""depthub's method and head for a record, at the recorded start values."""

from __future__ import annotations

import torch

from depthub.encoding.backbone import Backbone
from depthub.errors import hint
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, make
from depthub.spec import Component
from depthub.testing.golden.comparison import Comparison
from depthub.testing.golden.record import Record
from depthub.training.tuner import Tuner
from depthub.types import ClassSet


def parameter_names(record: Record) -> dict[str, str]:
    """Our name of each published parameter, by its published name.

    Raises:
        DepthubError: if it has none, or two published parameters have the same name of ours.
    """
    listed = record.key(dict, "replay", "parameters")
    parameters = {name: record.typed(ours, str, f"replay.parameters.{name}") for name, ours in listed.items()}
    if not parameters or len(set(parameters.values())) < len(parameters):
        raise record.error("replay.parameters has to map at least one published parameter, and no two of them to one of ours")
    return parameters


def tuner_at_start(comparison: Comparison, backbone: Backbone, classes: ClassSet, parameters: dict[str, str]) -> Tuner:
    """A tuner of our method and head at the recorded start values.

    Args:
        comparison: the comparison of the record.
        backbone: the frozen model of the record.
        classes: the training classes.
        parameters: see `parameter_names`.

    Raises:
        DepthubError: for an unknown component or parameter, or a start value that is missing or of another shape.
    """
    record, plugins = comparison.record, installed()
    method, head = (complete(_component(record, "replay", part), f"{part}s", plugins) for part in ("method", "head"))
    with torch.random.fork_rng(devices=[]):  # the recorded values replace the random ones
        parts = make(method, "methods", plugins, backbone, classes), make(head, "heads", plugins, backbone.dim, classes)
    tuner = Tuner(backbone, *parts).to(comparison.dtype)
    tuned = tuner.tuned()
    for name, ours in parameters.items():
        if ours not in tuned:
            raise record.error(f"replay.parameters maps {name!r} to {ours!r}, which is not trained here{hint(ours, tuned)}")
        start = comparison.floats(f"start/{name}", *tuned[ours].shape)
        tuned[ours].data.copy_(start)
    if unmapped := sorted(tuned.keys() - set(parameters.values())):
        raise record.error(f"replay.parameters does not map the trained parameter {unmapped[0]!r}")
    return tuner


def _component(record: Record, *names: str) -> Component:
    """A method or head of the record, with the heads in its settings."""
    name, settings = record.key(str, *names, "name"), record.key(dict, *names, "settings")
    inner = {key: _component(record, *names, "settings", key) for key, value in settings.items() if isinstance(value, dict)}
    return Component(name, settings | inner)
