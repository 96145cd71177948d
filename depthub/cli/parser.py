"""The argument parser of all commands: jsonargparse, with errors in one line that give the nearest valid spelling."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from inspect import Parameter, isclass, signature
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, Namespace, get_loader, set_parsing_settings

from depthub.errors import DepthubError, UnknownNameError, hint, nearest

HEAD = "head"
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
        self._chosen: dict[str, type] = {}
        self._given: list[str] = []
        self.prepare: Callable[[Parser, list[str]], list[str]] | None = None  # sees the arguments first and may change them
        self.published: Mapping[str, Mapping[str, Any]] = {}  # settings by class name that come before the constructor's defaults
        self.note = ""  # what else could explain an unknown class, for example a broken plugin

    def add_choice(self, option: str, expected: Any, classes: Mapping[str, type], default: str, help: str) -> None:
        """An option that chooses a class by name; the class's settings become `--option.setting`.

        Args:
            option: without dashes; messages call the choice by it. Settings that are classes themselves are of the option "head".
            expected: the type as jsonargparse wants it.
            classes: by name; nothing else may be chosen, so that a configuration cannot import what it likes.
            default: a name; no default if it is empty or not among `classes`.
            help: one line.
        """
        self._classes[option] = classes
        set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=[p for cls in classes.values() for p in _paths(cls)])
        if default in classes:
            self._chosen[option] = classes[default]
        start = _paths(classes[default])[-1] if default in classes else None
        self.add_argument(f"--{option}", type=expected, default=start, metavar="NAME", help=help)

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Namespace:  # type: ignore[override]
        """As jsonargparse's; options may be spelt with dashes or underscores.

        Raises:
            DepthubError: for anything that does not parse.
        """
        if args is not None:
            prepared = self.prepare(self, list(args)) if self.prepare else args
            self._given = args = list(self._spelt(prepared))
        return super().parse_args(args, *rest, **more)

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
        if found := re.search(r"Option '([^']+)' is not accepted|Group '[^']+' does not accept option '([^']+)'", text):
            self._refuse_key(found[1] or found[2])
        if found := re.fullmatch(r'.*Parser key "(.+?)"(?: element \d+)?: (.*)', text):
            self._refuse_value(found[1], found[2], ex)
        raise DepthubError(text) from ex

    def _spelt(self, args: Sequence[str]) -> Iterator[str]:
        """The arguments with underscores in option names, whole specifications for class names, and choices before their settings."""
        groups: list[list[str]] = [[]]
        for arg in args:
            name, equals, value = arg.partition("=")
            if name.startswith("--"):
                name = "--" + name[2:].replace("-", "_")
                groups.append([name + equals + (self._meant(name, value) if equals else "")])
            else:
                groups[-1].append(self._meant(groups[-1][0], arg) if groups[-1] else arg)
        for group in sorted(groups, key=self._depth):
            yield from group

    def _meant(self, option: str, value: str) -> str:
        """A configuration file's content, a class's specification, or the value as it is."""
        choice, _, setting = option[2:].partition(".")
        if option == "--config":
            return json.dumps(self._config(Path(value)), default=str)
        if choice not in self._classes:
            return value
        if setting == "help":
            return _paths(self._class(choice, value))[-1]
        holds_class = any(setting in _defaults(cls) and isclass(_defaults(cls)[setting]) for cls in self._classes[choice].values())
        if setting and not holds_class:
            return value
        spec = self._whole(HEAD if setting else choice, _load(value, option))
        if not setting:
            self._chosen[choice] = self._class(choice, spec["class_path"])
        return json.dumps(spec, default=str)

    def loaded(self, path: Path) -> dict[str, Any]:
        """A configuration file's content.

        Raises:
            DepthubError: if it cannot be read or holds no options.
        """
        try:
            content = _load(path.read_text(encoding="utf-8"), f"--config: {path}")
        except (OSError, UnicodeDecodeError) as error:
            raise DepthubError(f"--config: cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
        if not isinstance(content, dict):
            raise DepthubError(f"--config: {path} holds no options; `{self.prog} --print_config` shows the form")
        return content

    def _config(self, path: Path) -> dict[str, Any]:
        content = self.loaded(path)
        for choice in [key for key in self._classes if content.get(key)]:
            content[choice] = self._whole(choice, content[choice])
            self._chosen[choice] = self._class(choice, content[choice]["class_path"])
        return content

    def _whole(self, choice: str, given: Any) -> dict[str, Any]:
        """A class with all its settings spelt out.

        Left to itself, jsonargparse lets a class inherit settings of the same name from the one that it replaces, be they only defaults.
        """
        given = given if isinstance(given, dict) else {"class_path": given}
        cls = self._class(choice, given.get("class_path"))
        defaults, settings = _defaults(cls), given.get("init_args") or {}
        for name in settings:
            if name not in defaults:
                self._refuse_setting(choice, cls, name)
        whole = {**defaults, **self.published.get(cls.__name__, {}), **settings}
        for name, value in whole.items():
            if isclass(defaults[name]):
                whole[name] = self._whole(HEAD, _paths(value)[-1] if isclass(value) else value)
        return {"class_path": _paths(cls)[-1], "init_args": whole}

    def _class(self, choice: str, name: Any) -> type:
        classes = self._classes.get(choice, {})
        for known, cls in classes.items():
            if name == known or name in _paths(cls):
                return cls
        raise UnknownNameError(choice, str(name), classes, self.note)

    def _depth(self, group: list[str]) -> int:
        name = group[0].partition("=")[0] if group else ""
        return name.count(".") if name[2:].partition(".")[0] in self._classes else 0

    def _refuse_argument(self, given: str) -> NoReturn:
        if not given.startswith("-"):
            raise DepthubError(f"unexpected argument {given!r}; `{self.prog} --help` lists the options")
        self._refuse_option(given.partition("=")[0])

    def _refuse_key(self, key: str) -> NoReturn:
        option = self._option(key)
        if option:
            self._refuse_option(option)
        raise DepthubError(f"unknown key {key!r} in a configuration file{nearest(key, {o.rpartition('.')[2] for o in self._options()})}")

    def _refuse_setting(self, choice: str, cls: type, setting: str) -> NoReturn:
        known = _defaults(cls)
        raise DepthubError(f"{choice} {cls.__name__} has no setting {setting!r}{hint(setting, known) if known else '; it has none'}")

    def _refuse_option(self, option: str) -> NoReturn:
        choice, _, setting = option[2:].partition(".")
        if setting and choice in self._chosen and "." not in setting:
            self._refuse_setting(choice, self._chosen[choice], setting)
        if setting and choice in self._classes:  # a setting of a choice within a choice
            outer, _, last = option.rpartition(".")
            known = {name for cls in self._classes.get(HEAD, {}).values() for name in _defaults(cls)}
            raise DepthubError(f"unknown setting {last!r} of {outer}{nearest(last, known)}")
        near = nearest(option, [f"--{name}" for name in self._options()])
        raise DepthubError(f"unknown option {option!r}{near or f'; `{self.prog} --help` lists them'}")

    def _refuse_value(self, key: str, problem: str, cause: Exception | None) -> NoReturn:
        if key in self._classes and key not in self._chosen and (option := self._option(f"{key}.*")):
            raise DepthubError(f"{option}: choose with --{key} first{hint('', self._classes[key])}")
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
        settings = {f"{option}.{s}" for option, classes in self._classes.items() for cls in classes.values() for s in _defaults(cls)}
        return keys | settings | set(self._classes) | {"help", "print_config", "print_completion"}


def _load(text: str, source: str) -> Any:
    try:
        return get_loader("yaml")(text)
    except Exception as error:  # jsonargparse does not say which, and they differ with what is installed
        raise DepthubError(f"{source} is not valid YAML: {' '.join(str(error).split())}") from error


def _defaults(cls: type) -> dict[str, Any]:
    return {p.name: p.default for p in signature(cls).parameters.values() if p.kind is Parameter.KEYWORD_ONLY}


def _paths(cls: type) -> list[str]:
    """The names a class may be imported by, its own last: it may also stand in any package around its module."""
    parts = cls.__module__.split(".")
    return [".".join([*parts[: n + 1], cls.__qualname__]) for n in range(len(parts))]
