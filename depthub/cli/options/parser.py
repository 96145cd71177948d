"""The argument parser of all commands: jsonargparse, with errors in one line that give the nearest valid spelling."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

import yaml  # type: ignore[import-untyped]
from jsonargparse import ArgumentParser, Namespace, set_dumper, set_loader, set_parsing_settings

from depthub.cli.options import arguments, configuration
from depthub.cli.options.arguments import Option
from depthub.cli.options.choice import HEAD, Choices, Stated, defaults, is_text, nests, paths
from depthub.cli.options.configuration import brief, short
from depthub.cli.options.precedence import Layer, Precedence
from depthub.errors import DepthubError, hint, nearest

set_parsing_settings(add_print_completion_argument=True)
set_loader("yaml", configuration.load, (yaml.YAMLError,))
set_dumper("yaml", configuration.dump)


class Parser(ArgumentParser):
    """Parses the options of one command.

    Args:
        prog: what the user typed, for example "depthub run".
        description: of the command.
        options: for the parsers of single values that jsonargparse makes of its own.

    Attributes:
        choices: the options that choose a class.
        precedence: what counts of what files and options say.
        settled: sees the outcome before it is returned or printed, and may change it.
    """

    def __init__(self, prog: str = "depthub", description: str = "", **options: Any) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False, **options)
        self.choices = Choices()
        self.precedence = Precedence(self.choices)
        self.settled: Callable[[Namespace], Namespace] = lambda config: config
        self._given: list[str] = []  # names of the options on this command line
        self._known: Mapping[str, Any] = {}  # options with their defaults
        self._stated: Layer = {}

    def add_choice(self, option: str, expected: Any, classes: Mapping[str, type], default: str, help: str) -> None:
        """An option that chooses a class by name; the class's settings become `--option.setting`.

        Args:
            option: without dashes; messages call the choice by it. Settings that are classes themselves are of the option "head".
            expected: the type as jsonargparse wants it.
            classes: by name; nothing else may be chosen, so that a configuration cannot import what it likes.
            default: a name; no default if it is empty or not among `classes`.
            help: one line.
        """
        known = self.choices.classes
        known[option] = classes
        if default in classes:
            self.choices.default[option] = classes[default]
        allowed = [path for one in known.values() for cls in one.values() for path in paths(cls)]
        set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=allowed)
        start = paths(classes[default])[-1] if default in classes else None
        self.add_argument(f"--{option}", type=expected, default=start, metavar="NAME", help=help)

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Namespace:  # type: ignore[override]
        """As jsonargparse's; options may be spelt with dashes or underscores, and count wherever they stand before what files say.

        Raises:
            DepthubError: for anything that does not parse, and for numbers and text that no run can hold.
        """
        if not self.exit_on_error:  # jsonargparse's own parser of a single value
            return super().parse_args(args, *rest, **more)
        try:
            config = super().parse_args(self._arranged(sys.argv[1:] if args is None else args), *rest, **more)
        except RecursionError as error:  # YAML can hold itself
            raise DepthubError("an argument is nested too deep, or within itself") from error
        for key, value in configuration.values(config.as_dict()):
            if isinstance(value, int | float | str) and (reason := configuration.unfit(value)):
                key = key.replace(".init_args", "").partition("[")[0]
                raise DepthubError(f"{self._option(key) or key} {reason}")
        return self.settled(config)

    def dump(self, cfg: Namespace, *rest: Any, **more: Any) -> str:
        """As jsonargparse's, of the settled outcome."""
        text: str = super().dump(self.settled(cfg), *rest, **more)
        return text

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what jsonargparse found, in the words of this command line."""
        if not self.exit_on_error:
            super().error(message, ex)
        text = " ".join(message.split())
        if found := re.fullmatch(r"unrecognized arguments: (\S+).*", text):
            self._refuse_argument(found[1])
        if found := re.fullmatch(r"the following arguments are required: (.+)", text):
            missing = ", ".join(name.rpartition(".")[2].upper() for name in found[1].split(", "))
            raise DepthubError(f"missing: {missing}; `{self.prog} --help` shows the usage")
        # a problem within a choice comes wrapped in those around it: the innermost, last, is the one to tell
        if found := re.fullmatch(r'.*Parser key "(.+?)"(?: element \d+)?: (.*)', text):
            self._refuse_value(found[1], found[2], ex)
        raise DepthubError(short(text, 400)) from ex

    def _arranged(self, args: Sequence[str]) -> list[str]:
        """The arguments as jsonargparse is to see them: first what files and choices say, weighed and whole, then the other options."""
        leading, options = arguments.split(args)
        self._given = [option.name for option in options]
        arguments.refuse_repeats(options)
        self._known = vars(self.get_defaults())
        if not self.choices.classes:
            return [*leading, *(word for option in options for word in option.words())]
        own = {option.path[0]: self._said(option) for option in options if option.values and self._is_plain(option)}
        held = self.precedence.settle([*self._files(options), own])
        self.set_defaults(self.precedence.defaults)
        self._stated = {name: value for name, value in held.items() if not isinstance(own.get(name), str)}
        by_depth = sorted(options, key=lambda option: len(option.path))  # a choice comes before its settings
        others = [word for option in by_depth for word in self._unread(option)]
        for note in self.precedence.notes:
            print(f"depthub: note: {note}", file=sys.stderr)
        return [*leading, *self._whole(), *others]

    def _is_plain(self, option: Option) -> bool:
        return option.name.startswith("--") and len(option.path) == 1 and option.name not in arguments.REPEATABLE

    def _said(self, option: Option) -> Any:
        """What an option says: of a choice in the form of `Choices.stated`, of a group its content, of others the first word."""
        name, word = option.path[0], option.values[0]
        if name in self.choices.classes:
            return self.choices.stated(name, _mapping(word, option.name) or word)
        if isinstance(self._known.get(name), Namespace):
            content = _mapping(word, option.name) or configuration.read(Path(word), option.name)
            return self._content({name: content}, f"{option.name}: {word}")[name]
        return word

    def _files(self, options: Sequence[Option]) -> Iterator[Layer]:
        for option in options:
            if option.name in arguments.REPEATABLE and option.values:
                content = configuration.read(Path(option.values[0]), option.name)
                yield self._content(content, f"{option.name}: {option.values[0]}")

    def _content(self, content: Any, source: str) -> Layer:
        """What a configuration says, choices in the form of `Choices.stated`; every key is known."""
        if not isinstance(content, Mapping):
            raise DepthubError(f"{source} holds no options; `{self.prog} --print_config` shows the form")
        return {key: self._held(key, value, source) for key, value in content.items()}

    def _held(self, key: str, value: Any, source: str) -> Any:
        if key in self.choices.classes:
            return None if value is None else self.choices.stated(key, value)
        known = self._known
        if key == "config":
            raise DepthubError(f"{source}: a configuration within a configuration is not read; give --config twice, the second overrides")
        if key not in known:
            self._refuse_key(key, {*known, *self.choices.classes} - {"config"}, source)
        expected = {Namespace: (Mapping, "options by name"), list: (list, "a list"), bool: (bool, "true or false")}.get(type(known[key]))
        if expected and not isinstance(value, expected[0]):
            raise DepthubError(f"{source}: {key} is {brief(value)}, expected {expected[1]}")
        for name in value if isinstance(known[key], Namespace) else ():
            if name not in known[key]:
                self._refuse_key(name, set(vars(known[key])), f"{source}, in {key}")
        return value

    def _unread(self, option: Option) -> list[str]:
        """What jsonargparse is still to read of an option: nothing, or the words too many, of what is in `_stated`."""
        if option.path[0] in self.choices.classes and len(option.path) > 1:
            return self._setting(option)
        taken = option.name in arguments.REPEATABLE or (self._is_plain(option) and option.path[0] in self._stated)
        return option.values[1:] if taken and option.values else option.words()

    def _setting(self, option: Option) -> list[str]:
        """The same for a choice's setting; text, and what is a choice itself, is put into `_stated`."""
        choice, *inner, last = option.path
        if {"class_path", "init_args", "dict_kwargs"} & set(option.path):
            raise DepthubError(f"{option.name}: choose with --{choice} NAME, and set with --{choice}.SETTING")
        kind = HEAD if inner else choice
        if last == "help" and option.values:
            if inner:
                self._holder(option)  # which refuses a setting that is no choice
            return [option.name, paths(self.choices.find(kind, option.values[0]))[-1], *option.values[1:]]
        holder = self._holder(option)
        cls = self.choices.find(kind, holder["class_path"])
        if last == "help":
            return [option.name, paths(cls)[-1]]
        if last not in defaults(cls):
            self.choices.refuse_setting(kind, cls, last)
        if not option.values:
            raise DepthubError(f"{option.name}: expected a value")
        if nests(cls, last):
            given = self.choices.stated(HEAD, _mapping(option.values[0], option.name) or option.values[0])
            holder["init_args"][last] = self.choices.over(HEAD, holder["init_args"].get(last), given, self.precedence.notes)
        elif is_text(cls, last):  # jsonargparse would read "a: b" as a mapping
            holder["init_args"][last] = option.values[0]
        else:
            return option.words()
        return option.values[1:]

    def _holder(self, option: Option) -> Stated:
        """The choice that has the setting: for `--head.cat.bias` what is said of `--head.cat`. What is a default is said from now on."""
        choice, *inner = option.path[:-1]
        classes, default = self.choices.classes[choice], self.choices.default.get(choice)
        holder = self._stated.get(choice) or (self.choices.stated(choice, paths(default)[-1]) if default else None)
        if holder is None:
            raise DepthubError(f"{option.name}: choose with --{choice} first{hint('', classes)}")
        self._stated[choice] = holder
        kind = choice
        for setting in inner:
            cls = self.choices.find(kind, holder["class_path"])
            if not nests(cls, setting):
                self.choices.refuse_setting(kind, cls, setting)
            start = self.choices.stated(HEAD, paths(defaults(cls)[setting])[-1])
            holder, kind = holder["init_args"].setdefault(setting, start), HEAD
        return holder

    def _whole(self) -> Iterator[str]:
        """What was said, as arguments."""
        others = {name: value for name, value in self._stated.items() if name not in self.choices.classes}
        if others:
            yield from ("--config", json.dumps(others))
        for name, stated in self._stated.items():
            if name in self.choices.classes and stated:
                yield from (f"--{name}", json.dumps(self.choices.whole(name, stated), default=str))

    def _refuse_argument(self, given: str) -> NoReturn:
        if not given.startswith("-"):
            raise DepthubError(f"unexpected argument {brief(given)}; `{self.prog} --help` lists the options")
        option = given.partition("=")[0]
        near = nearest(option, [f"--{name}" for name in self._options()])
        raise DepthubError(f"unknown option {brief(option)}{near or f'; `{self.prog} --help` lists them'}")

    def _refuse_key(self, key: str, known: set[str], source: str) -> NoReturn:
        first, dot, _ = key.partition(".")
        nested = f"; write it below {first!r}, as `{self.prog} --print_config` does" if dot and first in known else ""
        raise DepthubError(f"unknown key {brief(key)} in a configuration file{nested or nearest(key, known)} ({source})")

    def _refuse_value(self, key: str, problem: str, cause: Exception | None) -> NoReturn:
        problem = re.sub(r"typing\.Literal\[(.*?)\]", r"one of \1", re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", problem))
        union = (
            r"Does not validate against any of the Union subtypes Subtypes: \[(.+?)\] Errors: .* Given value: (.*?)(?:\. Got value: .*)?"
        )
        if found := re.fullmatch(union, problem):
            problem = f"Expected a {re.sub(', (?!.)', ' or ', found[1])}. Got value: {found[2]}"
        problem = re.sub(r"Not of type \w+: (\S+) does not conform to restriction v(\S+)", r"got \1, expected a number \2", problem)
        problem = problem.replace("PositiveInt", "a positive integer")
        if found := re.fullmatch(r"Expected an? (.+?)\. Got value: (.*?)(?:\. Got value: .*)?", problem):
            near = nearest(found[2], re.findall(r"'(.+?)'", found[1]))
            problem = f"got {brief(found[2])}, expected {found[1]}{near}"
        raise DepthubError(f"{self._option(key) or key}: {short(problem)}") from cause

    def _option(self, key: str) -> str:
        """The option on this command line that sets `key`; empty if a configuration file does."""
        return next((name for name in self._given if fnmatchcase(name[2:], key) or name.endswith(f".{key}")), "")

    def _options(self) -> set[str]:
        keys = {key.replace(".init_args", "") for key in self.get_defaults().keys() if not key.endswith("class_path")}  # noqa: SIM118
        settings = {f"{option}.{s}" for option, classes in self.choices.classes.items() for cls in classes.values() for s in defaults(cls)}
        return keys | settings | set(self.choices.classes) | {"help", "print_config", "print_completion"}


def _mapping(text: str, source: str) -> Any:
    """What an option says in braces, or None."""
    return configuration.parsed(text, source) if text.lstrip().startswith("{") else None
