"""The argument parser of all commands: jsonargparse, with errors in one line and help in plain words."""

from __future__ import annotations

import inspect
import json
import sys
from argparse import SUPPRESS
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NoReturn, get_type_hints

import yaml  # type: ignore[import-untyped]
from jsonargparse import ArgumentParser, Namespace, set_dumper, set_loader, set_parsing_settings

from depthub.cli.options import arguments, mistakes
from depthub.cli.options.arguments import Option
from depthub.cli.options.choice import HEAD, Choices, nests, path, paths
from depthub.cli.options.choice_settings import ChoiceSettings
from depthub.cli.options.help import HelpFormatter
from depthub.cli.options.layers import Layer, Reader, is_plain
from depthub.cli.options.precedence import Precedence
from depthub.errors import DepthubError, hint
from depthub.values import configuration
from depthub.values.annotations import setting_defaults, setting_types
from depthub.values.configuration import short

set_loader("yaml", configuration.load, (yaml.YAMLError,))
set_dumper("yaml", configuration.dump)


class Parser(ArgumentParser):
    """Parses the options of one command.

    Args:
        prog: the command as it is typed, for example "depthub run".
        description: of the command.
        options: for the parsers of single values that jsonargparse makes of its own.

    Attributes:
        commands: the parsers of sub-commands by name.
        choices: the options that choose a class.
        types: of options and arguments, by name.
        precedence: the order of files and options.
        settled: is called with the outcome before it is returned or printed, and may change it.
    """

    def __init__(self, prog: str = "depthub", description: str = "", **options: Any) -> None:
        self.commands: dict[str, Parser] = {}
        self.choices = Choices()
        self.types: dict[str, Any] = {}
        self._titled: dict[str, Any] = {}  # groups of options in the help
        self._options: list[Option] = []  # of the command line that is parsed
        self._leading: list[str] = []  # the words before them
        self._layer: Layer = {}
        super().__init__(prog=prog, description=description, allow_abbrev=False, **{"formatter_class": HelpFormatter, **options})
        self._positionals.title = "arguments"
        self.precedence = Precedence(self.choices)
        self.settled: Callable[[Namespace], Namespace] = lambda config: config

    def add(self, name: str, group: str = "", **options: Any) -> None:
        """An argument or option, as `add_argument`.

        Args:
            name: of the argument, or of the option with its dashes.
            group: title that the help lists it under.
            options: of `add_argument`.
        """
        self.types[name.removeprefix("--")] = options.get("type", Any)
        if group and group not in self._titled:
            self._titled[group] = self.add_argument_group(group)
        (self._titled[group] if group else self).add_argument(name, **options)

    def add_fields(self, cls: type, option: str, title: str, skip: set[str] | None = None) -> None:
        """An option for each field of a dataclass, and one for a file of them.

        Args:
            cls: the dataclass, whose docstring describes the fields.
            option: without dashes; fields become `--option.field`.
            title: that the help lists them under.
            skip: fields without an option.
        """
        self.add_class_arguments(cls, option, skip=set(skip or ()), help=title)
        self.types |= {f"{option}.{name}": kind for name, kind in get_type_hints(cls).items()}
        self.describe(f"--{option}", metavar="FILE", help="a file of these options, or a mapping in braces")

    def add_choice(self, option: str, expected: Any, classes: Mapping[str, type], default: str, help: str, group: str = "") -> None:
        """An option that chooses a class by name; the class's settings become `--option.setting`.

        Args:
            option: without dashes; messages call the choice by it. Settings that are classes themselves are of the option "head".
            expected: the type as jsonargparse wants it.
            classes: by name; nothing else may be chosen, so that a configuration cannot import what it likes.
            default: a name; no default if it is empty or not among `classes`.
            help: one line.
            group: title that the help lists it under.
        """
        self.choices.classes[option] = classes
        if default in classes:
            self.choices.default[option] = classes[default]
        allowed = [name for one in self.choices.classes.values() for cls in one.values() for name in paths(cls)]
        set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=allowed)
        start = path(classes[default]) if default in classes else None
        self.add(f"--{option}", group, type=expected, default=start)
        self._describe_choice(option, classes, f"{help}{f' (default: {default})' if default in classes else ''}")

    def _describe_choice(self, option: str, classes: Mapping[str, type], help: str) -> None:
        listed = f"{', '.join(sorted(classes)) or 'none is installed'}; --{option}.help NAME lists the settings"
        text, bracket, default = help.partition(" (default: ")
        self.describe(f"--{option}", metavar="NAME", help=f"{text}: {listed}{bracket}{default}")
        self.describe(f"--{option}.help", metavar="NAME", help=SUPPRESS)

    def add_commands(self, commands: Mapping[str, Parser]) -> None:
        """Sub-commands by name, in the order of the help."""
        group = self.add_subcommands(required=True, dest="command", title="commands", description=None, metavar="COMMAND")
        for name, parser in commands.items():
            group.add_subcommand(name, parser, help=str(parser.description).rstrip("."))
            parser.prog = f"{self.prog} {name}"
        self.commands |= commands

    def describe(self, option: str, **attributes: Any) -> None:
        """Change attributes of an option that jsonargparse made, such as its help."""
        for action in self._actions:
            if option in action.option_strings:
                vars(action).update(attributes)

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Namespace:  # type: ignore[override]
        """As jsonargparse's; options may be written with dashes or underscores, and count over files wherever they stand.

        Raises:
            DepthubError: for anything that does not parse, and for numbers and text that no run can hold.
        """
        if not self.exit_on_error:  # jsonargparse's own parser of a single value
            return super().parse_args(args, *rest, **more)
        args = sys.argv[1:] if args is None else args
        if self.commands and args and not args[0].startswith("-"):
            return self._of_command(args[0], args[1:])
        try:
            config = super().parse_args(self._arranged(args), *rest, **more)
        except RecursionError as error:  # YAML can hold itself
            raise DepthubError("an argument is nested too deep, or within itself") from error
        for key, value in configuration.values(config.as_dict()):
            if isinstance(value, int | float | str) and (reason := configuration.unfit(value)):
                key = key.replace(".init_args", "").partition("[")[0]
                raise DepthubError(f"{self._option(key) or key} {reason}")
        return self.settled(config)

    def _of_command(self, name: str, args: Sequence[str]) -> Namespace:
        if name not in self.commands:
            raise DepthubError(f"unknown command '{self.prog} {name}'{hint(name, self.commands)}")
        return Namespace({"command": name, name: self.commands[name].parse_args(args)})  # type: ignore[no-untyped-call]

    def dump(self, cfg: Namespace, *rest: Any, **more: Any) -> str:
        """As jsonargparse's, of the settled outcome."""
        text: str = super().dump(self.settled(cfg), *rest, **more)
        return text

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the error of jsonargparse in the words of this command line."""
        if not self.exit_on_error:
            super().error(message, ex)
        kind, _, subject = " ".join(message.split()).partition(": ")
        if kind == "unrecognized arguments":
            mistakes.refuse_argument(subject.split(" ")[0], self._option_names(), self.prog)
        if kind == "the following arguments are required":
            missing = "COMMAND" if self.commands else ", ".join(name.rpartition(".")[2].upper() for name in subject.split(", "))
            raise DepthubError(f"missing: {missing}; `{self.prog} --help` shows the usage")
        for name, value, expected in self._values():
            mistakes.refuse_value(name, value, expected, ex)
        raise DepthubError(short(" ".join(message.split()), 400)) from ex

    def _arranged(self, args: Sequence[str]) -> list[str]:
        """The arguments as jsonargparse is to see them: first files and choices, settled and whole, then the other options."""
        self._leading, self._options = arguments.split(args)
        arguments.refuse_repeats(self._options)
        if not self.choices.classes:
            return [*self._leading, *(word for option in self._options for word in option.words())]
        reader = Reader(self.prog, self.choices, vars(self.get_defaults()))
        command_line = reader.command_line(self._options)
        settled = self.precedence.settle([*reader.files(self._options), command_line])
        self.set_defaults(self.precedence.defaults)
        self._layer = {name: value for name, value in settled.items() if not isinstance(command_line.get(name), str)}
        by_depth = sorted(self._options, key=lambda option: len(option.path))  # a choice comes before its settings
        others = [word for option in by_depth for word in self._remaining(option)]
        for note in self.precedence.notes:
            print(f"depthub: note: {note}", file=sys.stderr)
        return [*self._leading, *self._layer_words(), *others]

    def _remaining(self, option: Option) -> list[str]:
        """The words of an option that are not in `_layer`: all, none, or those too many."""
        if self._is_setting(option):
            settings = ChoiceSettings(self.choices, self._layer, self.precedence.notes)
            if option.path[-1] == "help":
                self._print_settings(option, settings.class_of(option))
            return settings.add(option)
        in_layer = option.name in arguments.REPEATABLE or (is_plain(option) and option.path[0] in self._layer)
        return option.values[1:] if in_layer and option.values else option.words()

    def _is_setting(self, option: Option) -> bool:
        return option.path[0] in self.choices.classes and len(option.path) > 1

    def _layer_words(self) -> Iterator[str]:
        others = {name: value for name, value in self._layer.items() if name not in self.choices.classes}
        if others:
            yield from ("--config", json.dumps(others))
        for name, stated in self._layer.items():
            if name in self.choices.classes and stated:
                yield from (f"--{name}", json.dumps(self.choices.whole(name, stated), default=str))

    def _print_settings(self, option: Option, cls: type) -> NoReturn:
        """Print the settings of a class as they are typed: `--head.cat.bias`, not `--bias`."""
        name = ".".join(option.path[:-1])
        summary = (inspect.getdoc(cls) or "").partition("\n\n")[0]
        parser = Parser(f"{self.prog} --{name} {cls.__name__}", summary, add_help=False)
        others = {parameter for parameter in inspect.signature(cls).parameters if parameter not in setting_defaults(cls)}
        parser.add_class_arguments(cls, name, as_group=False, skip=others)
        for setting in setting_defaults(cls):
            if nests(cls, setting):
                default = f" (default: {setting_defaults(cls)[setting].__name__})"
                parser._describe_choice(f"{name}.{setting}", self.choices.classes[HEAD], f"head{default}")
        print(parser.format_help() if setting_defaults(cls) else f"{cls.__name__}: {summary}\n\nIt has no settings.\n", end="")
        raise SystemExit(0)

    def _values(self) -> Iterator[tuple[str, Any, Any]]:
        """(option or key, value, type) of each value of the command line and of files."""
        positionals = [name for action in self._actions if not action.option_strings for name in [action.dest]]
        for place, word in enumerate(self._leading[: len(positionals)]):
            yield positionals[place], word, self.types[positionals[place]]
        for option in self._options:
            expected = self._type(option)
            for value in option.values if expected is not Any else ():
                yield option.name, value, expected
        yield from self._layer_values()

    def _type(self, option: Option) -> Any:
        if self._is_setting(option):
            return ChoiceSettings(self.choices, self._layer, []).type_of(option)
        return Any if option.path[0] in self.choices.classes else self.types.get(".".join(option.path), Any)

    def _layer_values(self) -> Iterator[tuple[str, Any, Any]]:
        for name, value in self._layer.items():
            if name in self.choices.classes:
                yield from self._stated_values(name, name, value) if value else ()
            elif isinstance(value, Mapping) and name not in self.types:
                yield from ((f"{name}.{field}", one, self.types[f"{name}.{field}"]) for field, one in value.items())
            else:
                yield from ((name, one, self.types[name]) for one in (value if isinstance(value, list) else [value]))

    def _stated_values(self, kind: str, name: str, stated: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
        cls = self.choices.find(kind, stated["class_path"])
        for setting, value in stated["init_args"].items():
            if nests(cls, setting):
                yield from self._stated_values(HEAD, f"{name}.{setting}", value)
            else:
                yield f"{name}.{setting}", value, setting_types(cls).get(setting, Any)

    def _option(self, key: str) -> str:
        """The option on this command line that sets `key`; empty if a configuration file does."""
        names = (option.name for option in self._options)
        return next((name for name in names if fnmatchcase(name[2:], key) or name.endswith(f".{key}")), "")

    def _option_names(self) -> set[str]:
        keys = {key.replace(".init_args", "") for key in self.get_defaults().keys() if not key.endswith("class_path")}  # noqa: SIM118
        settings = {
            f"{option}.{s}" for option, classes in self.choices.classes.items() for cls in classes.values() for s in setting_defaults(cls)
        }
        return keys | settings | set(self.choices.classes) | {"help", "print_config"}
