"""A command line as options with their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from depthub.errors import DepthubError
from depthub.values.configuration import brief, unfit

REPEATABLE = ("--config",)


@dataclass
class Option:
    """One option of a command line.

    Args:
        name: with its dashes in front and underscores within.
        values: the words after it.
        joined: whether the first value follows a "=".
    """

    name: str
    values: list[str] = field(default_factory=list)
    joined: bool = False

    @property
    def path(self) -> list[str]:
        """The name's parts: ["head", "cat", "bias"] for `--head.cat.bias`."""
        return self.name.removeprefix("--").removesuffix("+").split(".")

    def words(self) -> list[str]:
        """The option as words of a command line."""
        first, *others = self.values if self.joined else [""]
        return [f"{self.name}={first}", *others] if self.joined else [self.name, *self.values]


def split(args: Sequence[str]) -> tuple[list[str], list[Option]]:
    """The words before the first option, and the options; dashes within their names become underscores.

    Raises:
        DepthubError: for an argument that is not valid Unicode.
    """
    leading: list[str] = []
    options: list[Option] = []
    for arg in args:
        if reason := unfit(arg):
            raise DepthubError(f"an argument {reason}")
        if not re.match(r"--|-[A-Za-z]", arg):
            (options[-1].values if options else leading).append(arg)
            continue
        name, equals, value = arg.partition("=")
        underscored = "--" + name[2:].replace("-", "_") if name.startswith("--") else name
        options.append(Option(underscored, [value] if equals else [], bool(equals)))
    return leading, options


def refuse_repeats(options: Iterable[Option]) -> None:
    """Refuse an option that comes twice with different values: nobody knows which is meant.

    Raises:
        DepthubError: with both.
    """
    firsts: dict[str, Option] = {}
    for option in options:
        first = firsts.setdefault(option.name, option)
        if first.values != option.values and option.name not in REPEATABLE and not option.name.endswith("+"):
            one, other = brief(" ".join(first.values)), brief(" ".join(option.values))
            raise DepthubError(f"{option.name} is given twice, as {one} and as {other}; give it once")
