"""Help as a researcher reads it: names instead of Python types and module paths, defaults as they are typed."""

from __future__ import annotations

from argparse import SUPPRESS, Action
from collections.abc import Iterable, Mapping
from enum import Enum
from textwrap import wrap
from typing import Any

from jsonargparse import DefaultHelpFormatter


class HelpFormatter(DefaultHelpFormatter):
    """jsonargparse's, without the types; the usage names what a command needs, the list below it names the options."""

    def add_usage(self, usage: str | None, actions: Iterable[Action], *rest: Any, **more: Any) -> None:
        """One line, such as `usage: depthub predict RUN IMAGE [IMAGE ...] [options]`."""
        words = [self._format_args(action, str(action.metavar or action.dest)) for action in actions if not action.option_strings]
        line = " ".join(["%(prog)s", *("COMMAND" if word.endswith("...") and "{" in word else word for word in words), "[options]"])
        super().add_usage(usage or line, actions, *rest, **more)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(" ".join(text.split()), width, break_on_hyphens=False)  # names stay whole

    def _get_help_string(self, action: Action) -> str:
        text = (action.help or "").rstrip(".")
        default = "" if action.nargs == 0 or "default:" in text or "by default" in text else as_typed(action.default)
        return f"{text} (default: {default})" if default else text


def as_typed(value: Any) -> str:
    """A value as one writes it on a command line; empty for none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return str(value.get("class_path", "")).rpartition(".")[2]
    if isinstance(value, list | tuple):
        return " ".join(map(as_typed, value))
    return "" if value is None or value == SUPPRESS else str(value)
