"""The options of methods, heads, protocols and executors, and published presets, as their classes say."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from docstring_parser import parse

from depthub.registry.plugins import installed
from depthub.spec import Preset
from docs.site.tables import table

KINDS = ("methods", "heads", "protocols", "executors")


def options(name: str) -> str:
    """A row for each option of an installed class: name, default and meaning; a sentence where it has none."""
    cls = component(name)
    words = meanings(cls)
    rows = [(f"`{one.name}`", f"`{_default(one.default)}`", words.get(one.name, "")) for one in settings(cls)]
    return table(("option", "default", "meaning"), rows) if rows else "It has no options."


def presets(name: str) -> str:
    """A row for each of a method's presets; the default preset, `dept-repo`, has the options' defaults where it is not listed."""
    declared: tuple[Preset, ...] = component(name).presets  # type: ignore[attr-defined]
    if not declared:
        return "It has no presets."
    rows = [(f"`{one.name}`", _where(one), _values(one.settings), _values(one.training)) for one in declared]
    return table(("preset", "applies to", "options", "recipe"), rows)


def component(name: str) -> type:
    """An installed method, head, protocol or executor by its public name.

    Raises:
        KeyError: if there is none.
    """
    plugins = installed()
    for kind in KINDS:
        if name in plugins.names(kind):
            cls: type = plugins.get(kind, name)
            return cls
    raise KeyError(name)


def settings(cls: type) -> list[inspect.Parameter]:
    """The keyword-only arguments of a class's constructor."""
    return [one for one in inspect.signature(cls).parameters.values() if one.kind is one.KEYWORD_ONLY]


def meanings(cls: type) -> dict[str, str]:
    """What the docstrings of a class and of its bases say of arguments, by name; the class's own word counts."""
    documented = [parse(inspect.cleandoc(vars(base).get("__doc__") or "")) for base in reversed(cls.__mro__)]
    return {one.arg_name: one.description or "" for text in documented for one in text.params}


def _default(value: Any) -> str:
    return value.__name__ if inspect.isclass(value) else repr(value)


def _where(preset: Preset) -> str:
    shots = [f"{number} shots" for number in preset.shots]
    return "; ".join(", ".join(part) for part in (preset.protocols, shots, preset.data) if part) or "all other runs"


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` {value!r}" for name, value in values.items())
