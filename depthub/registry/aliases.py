"""Other names of data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from depthub.data.dataset import DataSet


def names_of_alias(alias: str, data_sets: Mapping[str, DataSet]) -> list[str]:
    """Names of the data sets with this alias, in upper or lower case; empty if none has it.

    Args:
        alias: the other name.
        data_sets: the data sets by name.
    """
    return [name for name, data_set in data_sets.items() if alias.lower() in map(str.lower, data_set.aliases)]
