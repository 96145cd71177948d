"""The layers of a command's options: configuration files in their order, then the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import Namespace

from depthub.cli.options import arguments
from depthub.cli.options.arguments import Option
from depthub.cli.options.choice import Choices
from depthub.errors import DepthubError, nearest
from depthub.values import configuration
from depthub.values.configuration import brief

Layer = dict[str, Any]  # options by name as one file or the command line states them; choices in the form of `Choices.stated`
# what a file must hold for an option, by the type of the option's default; a Namespace is a group such as `training`
EXPECTED: Mapping[type, tuple[Any, str]] = {
    Namespace: (Mapping, "options by name"),
    list: (list, "a list"),
    bool: (bool, "true or false"),
}


@dataclass(frozen=True)
class Reader:
    """Reads layers; every key is checked.

    Args:
        prog: the command, for messages.
        choices: the options that choose a class.
        defaults: of all options, by name.
    """

    prog: str
    choices: Choices
    defaults: Mapping[str, Any]

    def files(self, options: Sequence[Option]) -> Iterator[Layer]:
        """A layer for each `--config`."""
        for option in options:
            if option.name in arguments.REPEATABLE and option.values:
                content = configuration.read(Path(option.values[0]), option.name)
                yield self._layer(content, f"{option.name}: {option.values[0]}")

    def command_line(self, options: Sequence[Option]) -> Layer:
        """The options that files may state too; settings of choices (`--head.balance`) and of groups (`--training.lr`) follow later."""
        return {option.path[0]: self._value(option) for option in options if option.values and is_plain(option)}

    def _value(self, option: Option) -> Any:
        """The value of an option: of a choice in the form of `Choices.stated`, of a group its content, of others the first word."""
        name, word = option.path[0], option.values[0]
        if name in self.choices.classes:
            return self.choices.stated(name, braces(word, option.name) or word)
        if isinstance(self.defaults.get(name), Namespace):
            content = braces(word, option.name) or configuration.read(Path(word), option.name)
            return self._layer({name: content}, f"{option.name}: {word}")[name]
        return word

    def _layer(self, content: Any, source: str) -> Layer:
        if not isinstance(content, Mapping):
            raise DepthubError(f"{source} holds no options; `{self.prog} --print_config` shows the form")
        return {key: self._checked(key, value, source) for key, value in content.items()}

    def _checked(self, key: str, value: Any, source: str) -> Any:
        if key in self.choices.classes:
            return None if value is None else self.choices.stated(key, value)
        if key == "config":
            raise DepthubError(f"{source}: a configuration within a configuration is not read; give --config twice, the second overrides")
        if key not in self.defaults:
            self._refuse_key(key, {*self.defaults, *self.choices.classes} - {"config"}, source)
        default = self.defaults[key]
        base, words = EXPECTED.get(type(default), (object, ""))
        if not isinstance(value, base):
            raise DepthubError(f"{source}: {key} is {brief(value)}, expected {words}")
        for name in value if isinstance(default, Namespace) else ():
            if name not in default:
                self._refuse_key(name, set(vars(default)), f"{source}, in {key}")
        return value

    def _refuse_key(self, key: str, names: set[str], source: str) -> NoReturn:
        first, dot, _ = key.partition(".")
        nested = f"; write it below {first!r}, as `{self.prog} --print_config` does" if dot and first in names else ""
        raise DepthubError(f"unknown key {brief(key)} in a configuration file{nested or nearest(key, names)} ({source})")


def is_plain(option: Option) -> bool:
    """Whether an option is neither a file of options nor a setting within a choice or a group."""
    return option.name.startswith("--") and len(option.path) == 1 and option.name not in arguments.REPEATABLE


def braces(text: str, source: str) -> Any:
    """The mapping that an option's value in braces stands for; None for other values."""
    return configuration.parsed(text, source) if text.lstrip().startswith("{") else None
