"""Grids: a list where a setting takes one value stands for several runs.

{"balance": [0, 0.1, "...", 0.3], "fusion": "none"}  ->  balance 0, 0.1, 0.2 and 0.3, each with fusion "none"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import product
from typing import Any, get_args, get_origin

from depthub.errors import DepthubError, hint
from depthub.head import Head
from depthub.registry.plugins import Plugins
from depthub.spec import Component
from depthub.values.annotations import in_words, setting_defaults, setting_types

DOTS = "..."
MOST = 1_000  # values of one setting


def components(value: Any, kind: str, plugins: Plugins, place: str) -> list[Component]:
    """The components that a name, a name with settings, or a list of them stands for.

    Args:
        value: `"CoOp"`, `{"name": "DePT", "balance": [0, 0.7]}`, or a list of such values.
        kind: "methods", "heads" or "protocols".
        plugins: that provide them.
        place: in the file, for messages.

    Raises:
        DepthubError: for an unknown name or setting.
    """
    if isinstance(value, list):
        return [one for i, each in enumerate(value) for one in components(each, kind, plugins, f"{place}[{i}]")]
    name, stated_settings = (value, {}) if isinstance(value, str) else (value["name"], {k: v for k, v in value.items() if k != "name"})
    if name not in (names := plugins.names(kind)):
        raise DepthubError(f"{place}: unknown {kind.removesuffix('s')} {name!r}{hint(name, names)}")
    types, defaults = setting_types(plugins.get(kind, name)), setting_defaults(plugins.get(kind, name))
    choices: dict[str, list[Any]] = {}
    for setting, stated in stated_settings.items():
        if setting not in defaults:
            raise DepthubError(f"{place}: {name} has no setting {setting!r}{hint(setting, defaults)}")
        if isinstance(defaults[setting], type) and issubclass(defaults[setting], Head):
            choices[setting] = components(stated, "heads", plugins, f"{place}.{setting}")
        else:
            choices[setting] = values(stated, types.get(setting, Any), f"{place}.{setting}")
    return [Component(name, one) for one in combinations(choices)]


def values(stated: Any, expected: Any, place: str) -> list[Any]:
    """The values that a setting takes one after the other.

    Args:
        stated: a value, or a list of them; of a setting that itself takes a list, a list of lists.
        expected: the type of one value.
        place: in the file, for messages.

    Raises:
        DepthubError: if there are none, or too many.
    """
    is_list = isinstance(stated, list) and (not _takes_list(expected) or (bool(stated) and all(isinstance(one, list) for one in stated)))
    several = _progression(stated, place) if is_list else [stated]
    if not several:
        raise DepthubError(f"{place} is an empty list, expected {in_words(expected)}, or several of them")
    return several


def combinations(choices: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of values by name."""
    for chosen in product(*choices.values()):
        yield dict(zip(choices, chosen, strict=True))


def _progression(listed: list[Any], place: str) -> list[Any]:
    """A list in which three dots stand for the numbers between: 0, 0.1, ..., 1."""
    if DOTS not in listed:
        return listed
    numbers = [one for one in listed if one != DOTS]
    if listed.count(DOTS) > 1 or listed[2:3] != [DOTS] or len(listed) != 4 or not all(type(one) in (int, float) for one in numbers):
        raise DepthubError(f"{place} is {listed}, expected three dots between numbers, as in [0, 0.1, ..., 1]")
    first, second, last = (Decimal(str(one)) for one in numbers)  # exact: 0.3, not 0.30000000000000004
    step = second - first
    steps = (last - first) / step if step else Decimal(0)
    if steps != steps.to_integral_value() or not 1 < steps < MOST:
        raise DepthubError(f"{place} is {listed}: from {first} in steps of {step} there is no way to {last} in at most {MOST} steps")
    return [_number(first + i * step) for i in range(int(steps) + 1)]


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _takes_list(expected: Any) -> bool:
    """Whether a value of this type may be a list."""
    origin = get_origin(expected) or expected
    is_sequence = (isinstance(origin, type) and issubclass(origin, list | tuple)) or "Sequence" in str(origin)
    return is_sequence or any(_takes_list(choice) for choice in get_args(expected) if origin is not dict)
