"""Nested plain data as one level of dotted names, for comparison side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data by dotted names: `training.lr`, `method.n_ctx`.

    A component, which is a mapping of `name` and `settings` alone, becomes its name, and its settings are named as on the command line:
    `head` is "DePT", `head.balance` is 0.7. An empty mapping stays a value.
    """
    return dict(_leaves(values, ""))


def _leaves(values: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if not isinstance(value, Mapping) or not value:
            yield above + key, value
        elif value.keys() == {"name", "settings"} and isinstance(value["settings"], Mapping):
            yield above + key, value["name"]
            yield from _leaves(value["settings"], f"{above}{key}.")
        else:
            yield from _leaves(value, f"{above}{key}.")
