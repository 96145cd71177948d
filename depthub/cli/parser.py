"""The argument parser of all commands: jsonargparse, with errors in one line that give the nearest valid spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from inspect import Parameter, signature
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, Namespace, set_parsing_settings

from depthub.errors import DepthubError, UnknownNameError, hint, nearest

set_parsing_settings(add_print_completion_argument=True)


class Parser(ArgumentParser):
    """Parses the options of one command.

    Args:
        prog: what the user typed, for example "depthub run".
        description: of the command.
        options: for the parsers of single values that jsonargparse makes of its own.
    """

    def __init__(self, prog: str = "depthub", description: str = "", **options: Any) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False, **options)
        self._classes: dict[str, Mapping[str, type]] = {}
        self._given: list[str] = []
        self.note = ""  # what else could explain an unknown class, for example a broken plugin

    def add_choice(self, option: str, expected: Any, classes: Mapping[str, type], default: str, help: str) -> None:
        """An option that chooses a class by name; the class's settings become `--option.setting`.

        Args:
            option: without dashes; messages call the choice by it.
            expected: the type as jsonargparse wants it.
            classes: by name; nothing else may be chosen, so that a configuration cannot import what it likes.
            default: a name; no default if it is empty or not among `classes`.
            help: one line.
        """
        self._classes[option] = classes
        set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=[p for cls in classes.values() for p in _paths(cls)])
        start = _paths(classes[default])[-1] if default in classes else None
        self.add_argument(f"--{option}", type=expected, default=start, metavar="NAME", help=help)

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Namespace:  # type: ignore[override]
        """As jsonargparse's; options may be spelt with dashes or underscores.

        Raises:
            DepthubError: for anything that does not parse.
        """
        if args is not None:
            self._given = args = list(self._spelt(args))
        return super().parse_args(args, *rest, **more)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what jsonargparse found, in the words of this command line."""
        if not self.exit_on_error:
            super().error(message, ex)
        text = " ".join(message.split())
        if found := re.fullmatch(r"unrecognized arguments: (\S+).*", text):
            self._refuse_argument(found[1])
        # a problem within a choice comes wrapped in those around it: the innermost, last, is the one to tell
        if found := re.search(r"Option '([^']+)' is not accepted|Group '[^']+' does not accept option '([^']+)'", text):
            self._refuse_key(found[1] or found[2])
        if found := re.fullmatch(r'.*Parser key "(.+?)"(?: element \d+)?: (.*)|--(\w+)\.help: (.*)', text):
            self._refuse_value(found[1] or found[3], found[2] or found[4], ex)
        raise DepthubError(text) from ex

    def _spelt(self, args: Sequence[str]) -> Iterator[str]:
        """The arguments with underscores in option names, class paths for class names, and choices before their settings.

        Paths, because a class of a plugin that was left out may bear the name of one that works, and jsonargparse sees both.
        """
        groups: list[list[str]] = [[]]
        for arg in args:
            name, equals, value = arg.partition("=")
            if name.startswith("--"):
                name = "--" + name[2:].replace("-", "_")
                groups.append([name + equals + (self._path(name, value) if equals else "")])
            else:
                groups[-1].append(self._path(groups[-1][0], arg) if groups[-1] else arg)
        for group in sorted(groups, key=self._depth):
            yield from group

    def _depth(self, group: list[str]) -> int:
        name = group[0].partition("=")[0] if group else ""
        return name.count(".") if name[2:].partition(".")[0] in self._classes else 0

    def _path(self, option: str, name: str) -> str:
        cls = self._classes.get(option[2:].removesuffix(".help"), {}).get(name)
        return _paths(cls)[-1] if cls else name

    def _refuse_argument(self, given: str) -> NoReturn:
        if not given.startswith("-"):
            raise DepthubError(f"unexpected argument {given!r}; `{self.prog} --help` lists the options")
        self._refuse_option(given.partition("=")[0])

    def _refuse_key(self, key: str) -> NoReturn:
        option = self._option(key)
        if option:
            self._refuse_option(option)
        raise DepthubError(f"unknown key {key!r} in a configuration file{nearest(key, {o.rpartition('.')[2] for o in self._options()})}")

    def _refuse_option(self, option: str) -> NoReturn:
        choice, dot, setting = option[2:].partition(".")
        if dot and choice in self._classes and "." not in setting:
            chosen = self._chosen(choice)
            settings = _settings(chosen) if chosen else []
            owner = f"{choice} {chosen.__name__} has no setting {setting!r}" if chosen else f"unknown setting {setting!r} of {choice}"
            raise DepthubError(f"{owner}{hint(setting, settings) if settings else '; it has none'}")
        if choice in self._classes and dot:  # a setting of a choice within a choice
            known = {s for cls in self._classes.get("head", {}).values() for s in _settings(cls)}
            outer, _, last = option.rpartition(".")
            raise DepthubError(f"unknown setting {last!r} of {outer}{nearest(last, known)}")
        near = nearest(option, [f"--{name}" for name in self._options()])
        raise DepthubError(f"unknown option {option!r}{near or f'; `{self.prog} --help` lists them'}")

    def _refuse_value(self, key: str, problem: str, cause: Exception | None) -> NoReturn:
        if found := re.search(r"Expected a dot import path string: (\S+?)\.?(?: |$)|Importing '(.+?)' is not allowed", problem):
            if key in self._classes and not self._chosen(key) and (option := self._option(f"{key}.*")):
                raise DepthubError(f"{option}: choose with --{key} first{hint('', self._classes[key])}")
            # settings that are classes themselves are heads
            choice = key if key in self._classes else "head"
            raise UnknownNameError(choice, found[1] or found[2], self._classes.get(choice, ()), self.note)
        problem = re.sub(r"typing\.Literal\[(.*?)\]", r"one of \1", re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", problem))
        if found := re.fullmatch(r"Expected an? (.+?)\. Got value: (.*?)(?:\. Got value: .*)?", problem):
            near = nearest(found[2], re.findall(r"'(.+?)'", found[1]))
            problem = f"got {found[2]!r}, expected {found[1]}{near}"
        raise DepthubError(f"{self._option(key) or key}: {problem}") from cause

    def _option(self, key: str) -> str:
        """The option on this command line that sets `key`; empty if a configuration file does."""
        names = (arg.partition("=")[0] for arg in self._given if arg.startswith("--"))
        return next((name for name in names if fnmatchcase(name[2:], key) or name.endswith(f".{key}")), "")

    def _options(self) -> set[str]:
        keys = {key.replace(".init_args", "") for key in self.get_defaults().keys() if not key.endswith("class_path")}  # noqa: SIM118
        settings = {f"{option}.{s}" for option, classes in self._classes.items() for cls in classes.values() for s in _settings(cls)}
        return keys | settings | set(self._classes) | {"help", "print_config", "print_completion"}

    def _chosen(self, option: str) -> type | None:
        given = [
            a.partition("=")[2] or b
            for a, b in zip(self._given, [*self._given[1:], ""], strict=True)
            if a.partition("=")[0] == f"--{option}"
        ]
        path = (given or [self.get_defaults().get(option)])[-1]
        path = path if isinstance(path, str) else getattr(path, "class_path", "")
        return next((cls for cls in self._classes[option].values() if path in _paths(cls)), None)


def _settings(cls: type) -> list[str]:
    return [p.name for p in signature(cls).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]


def _paths(cls: type) -> list[str]:
    """The names a class may be imported by, its own last: it may also stand in any package around its module."""
    parts = cls.__module__.split(".")
    return [".".join([*parts[: n + 1], cls.__qualname__]) for n in range(len(parts))]
