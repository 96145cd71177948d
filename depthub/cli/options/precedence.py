"""What counts where options are said more than once: files in their order, then the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from depthub.cli.options.choice import Choices

Layer = dict[str, Any]  # options by name as one file or the command line says them; choices as `Choices.stated` gives them


class Precedence:
    """Every file's word counts over those of the file before it, the command line's over all of them.

    Args:
        choices: the options that choose a class.

    Attributes:
        notes: what was left out on the way, one line each.
        defaults: of options, where they follow from what was said.
    """

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.notes: list[str] = []
        self.defaults: dict[str, Any] = {}

    def settle(self, layers: Sequence[Layer]) -> Layer:
        """All that was said, as one.

        Args:
            layers: the files' words in their order, the command line's last.
        """
        self.notes = []
        held: Layer = {}
        for layer in layers:
            held = self.over(held, layer)
        return held

    def over(self, earlier: Layer, later: Layer) -> Layer:
        """Both as one."""
        merged = {**earlier, **later}
        for key in earlier.keys() & later.keys():
            if key in self.choices.classes:
                merged[key] = self.choices.over(key, earlier[key], later[key], self.notes)
            elif isinstance(earlier[key], Mapping) and isinstance(later[key], Mapping):
                merged[key] = {**earlier[key], **later[key]}
        return merged
