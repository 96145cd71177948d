"""Runs in words: what distinguishes them, in the order in which people say it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields, replace

from depthub.boards.labels import texts_in_words
from depthub.registry import presets
from depthub.registry.plugins import Plugins, installed
from depthub.running.resolved import Resolved
from depthub.spec import Component, RunSpec, Training
from depthub.values.text import plain


def described(run: Resolved) -> str:
    """A run in one line: `CoOp + DePT (balance 0.5) on tones, epochs 5, seed 1`. Settings and values of the recipe are named where they are
    not the default ones."""
    spec, plugins = run.spec, installed()
    method, head = _named(spec.method, "methods", plugins), _named(spec.head, "heads", plugins)
    what = method if spec.head.name == RunSpec().head.name else f"{method} + {head}"
    where = f"{what} on {spec.data.name}"
    default = RunSpec()
    parts = [*_recipe(spec, plugins), *_differing(spec.protocol, "protocols", plugins)]
    parts += [f"{spec.shots} shots"] if spec.shots != default.shots else []
    parts += [f"seed {spec.seed}"] + ([] if spec.sample is None else [f"sample {spec.sample}"])
    parts += [texts] if (texts := texts_in_words(spec.without_places().as_dict())) else []
    return plain(", ".join([where, *parts]))


def _named(component: Component, kind: str, plugins: Plugins) -> str:
    """A component with its settings in brackets, as far as they are not the default ones."""
    settings = ", ".join(_differing(component, kind, plugins))
    return f"{component.name} ({settings})" if settings else component.name


def _differing(component: Component, kind: str, plugins: Plugins) -> Iterator[str]:
    parameters = inspect.signature(plugins.get(kind, component.name)).parameters
    for name, value in component.settings.items():
        default = parameters[name].default
        if isinstance(value, Component):
            inner = _named(value, "heads", plugins)
            if inner != getattr(default, "__name__", default):
                yield f"{name} {inner}"
        elif value != (list(default) if isinstance(default, tuple) else default):
            yield f"{name} {value}"


def _recipe(spec: RunSpec, plugins: Plugins) -> Iterator[str]:
    """The values of the recipe that the default preset of the method does not have."""
    usual, recipe = presets.recipe(replace(spec, training=None), plugins), spec.training or Training()
    for field in fields(Training):
        value = getattr(recipe, field.name)
        if value != getattr(usual, field.name) and field.name not in recipe.idle | {"augmentation"}:
            yield f"{field.name} {value}"
