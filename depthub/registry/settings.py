"""Components by name: their settings checked and completed from their constructors, and objects made of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Literal, get_args, get_origin

from depthub.errors import DepthubError, hint, nearest
from depthub.head import Head
from depthub.registry.plugins import Plugins
from depthub.spec import Component
from depthub.values.annotations import fits, in_words, setting_types


def complete(component: Component, kind: str, plugins: Plugins) -> Component:
    """The component with every setting spelt out, in the spelling that equal runs share.

    Raises:
        DepthubError: for an unknown name, an unknown setting or a value that the setting does not take.
    """
    cls = plugins.get(kind, component.name)
    accepted = {p.name: p for p in inspect.signature(cls).parameters.values() if p.kind is p.KEYWORD_ONLY}
    unknown = [name for name in component.settings if name not in accepted]
    if unknown:
        raise DepthubError(f"{component.name} has no setting {unknown[0]!r}{hint(unknown[0], accepted)}")
    hints = setting_types(cls)
    settings = {
        name: (_head if _is_head(parameter.default) else _value)(
            component.name, name, component.settings.get(name, parameter.default), hints.get(name, Any)
        )
        for name, parameter in accepted.items()
    }
    settings = {name: complete(value, "heads", plugins) if isinstance(value, Component) else value for name, value in settings.items()}
    return Component(component.name, _canonical(cls, settings))


def make(component: Component, kind: str, plugins: Plugins, *args: Any) -> Any:
    """Call the component's constructor with `args` and its settings; a setting that is a head becomes a function that makes it."""
    return factory(component, kind, plugins)(*args)


def factory(component: Component, kind: str, plugins: Plugins) -> Callable[..., Any]:
    """The component's constructor with its settings filled in."""
    settings = {k: factory(v, "heads", plugins) if isinstance(v, Component) else v for k, v in component.settings.items()}
    return partial(plugins.get(kind, component.name), **settings)


def is_path(expected: Any) -> bool:
    """Whether an annotation says that a setting is a file: `Path`, or `Path | None`."""
    return expected is Path or Path in get_args(expected)


def _is_head(default: Any) -> bool:
    """Whether a setting with this default takes a head."""
    return isinstance(default, type) and issubclass(default, Head)


def _head(owner: str, name: str, value: Any, expected: Any) -> Component:
    """A setting that is itself a head, given by its class, its name or as a component."""
    if _is_head(value):
        return Component(value.__name__)
    try:
        return Component.of(value)
    except DepthubError as error:
        raise DepthubError(f"{owner}: {name}: {error}") from error


def _value(owner: str, name: str, value: Any, expected: Any) -> Any:
    """A setting's value as a spec holds it: sequences as lists."""
    if value is inspect.Parameter.empty:
        raise DepthubError(f"{owner} needs the setting {name!r}")
    if isinstance(value, tuple):  # JSON has one kind of sequence
        value = list(value)
    if isinstance(value, PurePath):
        value = str(value)
    if isinstance(value, Component) or not fits(value, expected):
        raise DepthubError(f"{owner}: {name} is {value!r}, expected {in_words(expected)}{_nearest(value, expected)}")
    return value


def _nearest(value: Any, expected: Any) -> str:
    return nearest(str(value), map(str, get_args(expected))) if get_origin(expected) is Literal else ""


def _canonical(cls: Any, settings: dict[str, Any]) -> dict[str, Any]:
    try:
        made = dict(cls.canonical(settings))
    except DepthubError:
        raise
    except Exception as error:
        raise DepthubError(f"{cls.__name__}.canonical fails: {type(error).__name__}: {error}") from error
    if made.keys() != settings.keys():
        raise DepthubError(
            f"{cls.__name__}.canonical changes the names of the settings: {', '.join(sorted(made.keys() ^ settings.keys()))}"
        )
    return made
