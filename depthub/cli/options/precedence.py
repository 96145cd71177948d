"""The order of options that are stated more than once: files one after the other, then the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from depthub.cli.options.choice import Choices
from depthub.cli.options.layers import Layer


class Precedence:
    """Every file counts over the file before it, the command line over all of them.

    Args:
        choices: the options that choose a class.

    Attributes:
        notes: a line for each statement that was left out on the way.
        defaults: of options whose defaults follow from other options.
    """

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.notes: list[str] = []
        self.defaults: dict[str, Any] = {}

    def settle(self, layers: Sequence[Layer]) -> Layer:
        """All layers as one.

        Args:
            layers: the files in their order, the command line last.
        """
        self.notes = []
        merged: Layer = {}
        for layer in layers:
            merged = self.over(merged, layer)
        return merged

    def over(self, earlier: Layer, later: Layer) -> Layer:
        """Two layers as one, where the later counts."""
        merged = {**earlier, **later}
        for key in earlier.keys() & later.keys():
            if key in self.choices.classes:
                merged[key] = self.choices.over(key, earlier[key], later[key], self.notes)
            elif isinstance(earlier[key], Mapping) and isinstance(later[key], Mapping):
                merged[key] = {**earlier[key], **later[key]}
        return merged
