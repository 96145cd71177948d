"""Components by name: settings checked, completed with the constructor's defaults and given to the constructor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Literal, get_args, get_origin

from depthub.errors import DepthubError, hint, nearest
from depthub.head import Head
from depthub.registry.plugins import Plugins
from depthub.spec import Component
from depthub.values.annotations import fits, in_words, setting_defaults, setting_types


def complete(component: Component, kind: str, plugins: Plugins) -> Component:
    """The component with all settings, in the canonical form that equal runs share.

    Raises:
        DepthubError: for an unknown name, an unknown setting or a value of another type.
    """
    cls = plugins.get(kind, component.name)
    accepted = setting_defaults(cls)
    unknown = [name for name in component.settings if name not in accepted]
    if unknown:
        raise DepthubError(f"{component.name} has no setting {unknown[0]!r}{hint(unknown[0], accepted)}")
    hints = setting_types(cls)
    settings: dict[str, Any] = {}
    for name, default in accepted.items():
        value = component.settings.get(name, default)
        if _is_head(default):
            settings[name] = complete(_head(component.name, name, value), "heads", plugins)
        else:
            settings[name] = _value(component.name, name, value, hints.get(name, Any))
    return Component(component.name, _without_added(cls, _canonical(cls, settings), accepted))


def make(component: Component, kind: str, plugins: Plugins, *args: Any) -> Any:
    """Call the component's constructor with `args` and its settings; a setting that is a head is passed as a function `(dim, classes)`."""
    return factory(component, kind, plugins)(*args)


def factory(component: Component, kind: str, plugins: Plugins) -> Callable[..., Any]:
    """The component's constructor with its settings filled in."""
    settings = {k: factory(v, "heads", plugins) if isinstance(v, Component) else v for k, v in component.settings.items()}
    return partial(plugins.get(kind, component.name), **settings)


def is_path(expected: Any) -> bool:
    """Whether an annotation means a file: `Path`, or `Path | None`."""
    return expected is Path or Path in get_args(expected)


def _is_head(default: Any) -> bool:
    """Whether a setting with this default takes a head."""
    return isinstance(default, type) and issubclass(default, Head)


def _head(owner: str, name: str, value: Any) -> Component:
    """A setting that is a head: from its class, its name or a component."""
    if _is_head(value):
        return Component(value.__name__)
    try:
        return Component.of(value)
    except DepthubError as error:
        raise DepthubError(f"{owner}: {name}: {error}") from error


def _value(owner: str, name: str, value: Any, expected: Any) -> Any:
    """A setting's value in the form of a spec: sequences as lists, paths as text."""
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


def _without_added(cls: Any, settings: dict[str, Any], accepted: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without later ones at the values that they stood for before, see `Method.added`."""
    for name, value in cls.added.items():
        if name not in accepted or accepted[name] != value:
            raise DepthubError(f"{cls.__name__}.added gives {name!r} the value {value!r}, which is not the default of such a setting")
    return {name: value for name, value in settings.items() if name not in cls.added or value != cls.added[name]}


def _canonical(cls: Any, settings: dict[str, Any]) -> dict[str, Any]:
    try:
        canonical = dict(cls.canonical(settings))
    except DepthubError:
        raise
    except Exception as error:
        raise DepthubError(f"{cls.__name__}.canonical fails: {type(error).__name__}: {error}") from error
    if canonical.keys() != settings.keys():
        raise DepthubError(
            f"{cls.__name__}.canonical changes the names of the settings: {', '.join(sorted(canonical.keys() ^ settings.keys()))}"
        )
    return canonical
