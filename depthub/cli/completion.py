"""Completion scripts for shells: commands, sub-commands, options, names of methods and heads, and their settings."""

from __future__ import annotations

from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

import shtab

from depthub.cli.options.choice import HEAD, nests
from depthub.cli.options.parser import Parser
from depthub.errors import DepthubError, hint
from depthub.values.annotations import setting_defaults, setting_types

SHELLS = tuple(f"shtab-{shell}" for shell in ("bash", "zsh", "fish", "tcsh"))


def script(form: str, commands: Mapping[str, ModuleType]) -> str:
    """A completion script.

    shtab describes plain argparse parsers, hence the commands are described to it as such. jsonargparse's own description repeats the
    settings of every class within every other one, which makes megabytes.

    Args:
        form: one of `SHELLS`.
        commands: modules of commands by name.

    Raises:
        DepthubError: for another form.
    """
    if form not in SHELLS:
        raise DepthubError(f"unknown completion {form!r}{hint(form, SHELLS)}")
    root = ArgumentParser("depthub")
    root.add_argument("--version", action="store_true", help="the version")
    root.add_argument("--print_completion", choices=SHELLS, help="a completion script")
    _describe_commands(root, {name: module.parser() for name, module in commands.items()})
    return shtab.complete(root, form.removeprefix("shtab-"))


def _describe_commands(parser: ArgumentParser, commands: Mapping[str, Parser]) -> None:
    group = parser.add_subparsers()
    for name, command in commands.items():
        plain = group.add_parser(name, help=_line(command.description))
        if command.commands:
            _describe_commands(plain, command.commands)
        else:
            _describe_options(plain, command)


def _describe_options(plain: ArgumentParser, command: Parser) -> None:
    for action in command._actions:
        if action.help != SUPPRESS and "--help" not in action.option_strings and action.dest not in command.choices.classes:
            _add(plain, action.option_strings or [action.dest], command.types.get(action.dest), _line(action.help), action)
    for option, classes in command.choices.classes.items():
        heads = command.choices.classes.get(HEAD, {})
        _describe_choice(plain, option, classes, heads)
        for setting in sorted({name for cls in classes.values() for name in setting_defaults(cls) if nests(cls, name)}):
            _describe_choice(plain, f"{option}.{setting}", heads, {})


def _describe_choice(plain: ArgumentParser, option: str, classes: Mapping[str, type], heads: Mapping[str, type]) -> None:
    """A choice, its help, and the settings of all its classes: the shell does not know which class is chosen.

    Args:
        plain: takes the options.
        option: for example "head", then "head.cat".
        classes: by name.
        heads: the classes of settings that are choices themselves; empty: without such settings.
    """
    plain.add_argument(f"--{option}", choices=sorted(classes), help="name of a class")
    plain.add_argument(f"--{option}.help", choices=sorted(classes), help=f"settings of a class of --{option}")
    expected: dict[str, Any] = {}
    for cls in classes.values():
        expected |= {name: setting_types(cls).get(name) for name in setting_defaults(cls) if not (nests(cls, name) and heads)}
    for name, kind in sorted(expected.items()):
        _add(plain, [f"--{option}.{name}"], kind, f"setting of --{option}")


def _add(plain: ArgumentParser, names: Iterable[str], kind: Any, help: str, action: Action | None = None) -> None:
    """An argument or option with its words, or files where it takes a path."""
    if action is not None and action.nargs == 0:
        plain.add_argument(*names, action="store_true", help=help)
        return
    words = ["true", "false"] if kind is bool else [str(word) for word in _words(kind)]
    nargs = action.nargs if action is not None and action.nargs in ("+", "*", "?") else None
    added = plain.add_argument(*names, choices=words or None, nargs=nargs, help=help)
    if not words and (kind is Path or Path in get_args(kind) or (action is not None and action.metavar in ("FILE", "PATH", "IMAGE"))):
        added.complete = shtab.DIRECTORY if action is not None and action.metavar == "DIR" else shtab.FILE  # type: ignore[attr-defined]


def _words(kind: Any) -> list[Any]:
    """The words that a type names, also within a union."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [word for part in get_args(kind) if get_origin(part) is Literal for word in get_args(part)]


def _line(text: str | None) -> str:
    """The first clause of a help text; shells have one line for it."""
    return (text or "").partition("; ")[0].partition(": ")[0].rstrip(".")
