"""Components by name: their settings checked and completed from their constructors, and objects made of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, get_args, get_origin, get_type_hints

from depthub.errors import DepthubError, hint
from depthub.head import Head
from depthub.plugins import Plugins
from depthub.spec import Component


def complete(component: Component, kind: str, plugins: Plugins) -> Component:
    """The component with every setting spelt out, so that equal runs have equal specs.

    Raises:
        DepthubError: for an unknown name, an unknown setting or a value that the setting does not take.
    """
    cls = plugins.get(kind, component.name)
    accepted = {p.name: p for p in inspect.signature(cls).parameters.values() if p.kind is p.KEYWORD_ONLY}
    unknown = [name for name in component.settings if name not in accepted]
    if unknown:
        raise DepthubError(f"{component.name} has no setting {unknown[0]!r}{hint(unknown[0], accepted)}")
    hints = _hints(cls)
    settings: dict[str, Any] = {}
    for name, parameter in accepted.items():
        value = component.settings.get(name, parameter.default)
        if isinstance(value, type) and issubclass(value, Head):
            value = Component(value.__name__)
        if isinstance(value, tuple):  # JSON has one kind of sequence
            value = list(value)
        if value is inspect.Parameter.empty:
            raise DepthubError(f"{component.name} needs the setting {name!r}")
        _check(component.name, name, value, hints.get(name))
        settings[name] = complete(value, "heads", plugins) if isinstance(value, Component) else value
    return Component(component.name, settings)


def make(component: Component, kind: str, plugins: Plugins, *args: Any) -> Any:
    """Call the component's constructor with `args` and its settings; a setting that is a head becomes a function that makes it."""
    return factory(component, kind, plugins)(*args)


def factory(component: Component, kind: str, plugins: Plugins) -> Callable[..., Any]:
    """The component's constructor with its settings filled in."""
    settings = {k: factory(v, "heads", plugins) if isinstance(v, Component) else v for k, v in component.settings.items()}
    return partial(plugins.get(kind, component.name), **settings)


def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls.__init__)  # type: ignore[misc]
    except NameError:  # a plugin whose annotations name what it imports for type checkers only
        return {}


def _check(owner: str, name: str, value: Any, expected: Any) -> None:
    """Refuse values that the annotation plainly excludes; what it leaves open is the constructor's to judge."""
    if get_origin(expected) is Literal and value not in get_args(expected):
        choices = [str(choice) for choice in get_args(expected)]
        raise DepthubError(f"{owner}: {name} is {value!r}, expected one of {', '.join(choices)}{hint(str(value), choices)}")
    if expected == Sequence[str] and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise DepthubError(f"{owner}: {name} is {value!r}, expected a list of names")
    accepts = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}.get(expected)
    if accepts and (not isinstance(value, accepts) or (isinstance(value, bool) and expected is not bool)):
        raise DepthubError(f"{owner}: {name} is {value!r}, expected {expected.__name__}")
