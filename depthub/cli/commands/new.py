"""`depthub new KIND NAME`: a plugin project that installs and passes its tests as it stands."""

from __future__ import annotations

import ast
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template
from typing import Any, Literal

from depthub.cli.options.parser import Parser
from depthub.errors import DepthubError

HELP = "start a plugin project for a method, head, protocol, data set, backbone or executor"
Kind = Literal["method", "head", "protocol", "dataset", "backbone", "executor"]
SETTING_ADVICE = """A setting is a keyword argument of the constructor, with a type, a default and a line of
docstring; the command line follows from it."""
OPTIONS = {"dataset": "--data", "backbone": "--backbone.model"}  # of `depthub run`, where they differ from the kind
NAMED = ("dataset", "backbone")  # kinds whose public name is in snake case; that of the others is a class name
SUFFIX = ".tmpl"  # keeps linters, type checkers and pytest from reading templates as code
CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Names:
    """The names of a project's parts.

    Args:
        class_name: of the component; the public name of a method, head, protocol or executor.
        package: of the Python package and of the entry point; the public name of a data set or backbone.
    """

    class_name: str
    package: str

    @property
    def distribution(self) -> str:
        """The name for pip."""
        return f"depthub-{self.package.replace('_', '-')}"

    def public(self, kind: Kind) -> str:
        """The name on the command line."""
        return self.package if kind in NAMED else self.class_name


def parser() -> Parser:
    """The command's options."""
    new = Parser("depthub new", f"{HELP.capitalize()}. It installs and passes its tests as it stands.")
    new.add("kind", type=Kind, help="kind of plugin")
    new.add("name", type=str, metavar="NAME", help="a class name such as MyPrompts, or my_prompts")
    new.add("--out", type=Path | None, default=None, metavar="DIR", help="the project's folder (default: ./depthub-my-prompts)")
    return new


def main(config: Any) -> int:
    """Write the project and print the next steps; the exit status."""
    names = derive(config.name)
    target = config.out or Path(names.distribution)
    project = render(config.kind, names)
    _refuse_used(target)
    _refuse_taken(config.kind, names, project)
    write(target, project)
    print(f"{target} is written. Next, in that folder:")
    print("  python -m pip install --no-build-isolation -e .\n  depthub plugins\n  python -m pytest")
    return 0


def derive(name: str) -> Names:
    """All names of a project from one, a class name or a name in snake case.

    Raises:
        DepthubError: if it is neither, or gives a Python keyword.
    """
    if CLASS_NAME.fullmatch(name):
        names = Names(name, _snake(name))
    elif SNAKE_CASE.fullmatch(name):
        names = Names("".join(word.capitalize() for word in name.split("_")), name)
    else:
        guess = re.sub(r"[^a-z0-9]+", "_", _snake(name)).strip("_")
        near = f"; did you mean {guess!r}?" if name.isascii() and SNAKE_CASE.fullmatch(guess) else ""
        raise DepthubError(f"cannot name a plugin {name!r}{near or ';'} expected a class name such as MyPrompts, or my_prompts")
    for part in (names.class_name, names.package):
        if iskeyword(part):
            raise DepthubError(f"cannot name a plugin {name!r}: {part!r} is a word of the Python language; choose another name")
    return names


def render(kind: Kind, names: Names) -> dict[str, str]:
    """The project's files: text by path. Templates of a kind replace common templates of the same path."""
    templates = files("depthub") / "templates"
    texts = dict(_read(templates / "common")) | dict(_read(templates / kind))
    values = {**asdict(names), "distribution": names.distribution, "name": names.public(kind), **_words(kind, names)}
    return {path.replace("PACKAGE", names.package): Template(text).substitute(values) for path, text in texts.items()}


def _words(kind: Kind, names: Names) -> dict[str, str]:
    """The words of a kind in its README and docstrings."""
    words, option = kind.replace("dataset", "data set"), OPTIONS.get(kind, f"--{kind}")
    kinds = {"kind": words, "a_kind": f"{'an' if words[0] in 'aeiou' else 'a'} {words}", "option": option}
    if kind in NAMED:
        return {**kinds, "settings": "", "advice": "Change it there."}
    settings = f"depthub run {option}.help {names.class_name}   # its settings\n"
    return {**kinds, "settings": settings, "advice": SETTING_ADVICE}


def write(target: Path, project: Mapping[str, str]) -> None:
    """Write a folder whole or not at all.

    Args:
        target: the folder, new or empty.
        project: text by path.

    Raises:
        DepthubError: if the system refuses.
    """
    folder = target.resolve()  # where `target` is a link, the link stays
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        try:
            for path, text in project.items():
                file = temporary / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(text.encode())
            if folder.is_dir():
                folder.rmdir()  # refuses unless it is still empty; not every system renames onto a folder
            temporary.rename(folder)
        except BaseException:  # also Ctrl-C: nothing half-written stays behind
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        raise DepthubError(f"cannot write {target}: {error.strerror or error}") from error


def _snake(name: str) -> str:
    return WORD_STARTS.sub("_", name).lower()


def _read(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for item in folder.iterdir():
        path = prefix + item.name
        if item.is_dir():
            yield from _read(item, f"{path}/")
        elif path.endswith(SUFFIX):
            yield path.removesuffix(SUFFIX), item.read_text(encoding="utf-8")


def _refuse_used(target: Path) -> None:
    """Nothing is overwritten."""
    try:
        if target.exists() and not target.is_dir():
            raise DepthubError(f"{target} exists and is not a folder; name another with --out")
        if target.exists() and any(target.iterdir()):
            raise DepthubError(f"{target} exists and is not empty; nothing was changed: name another folder with --out")
        if target.resolve() == Path.cwd():  # the terminal would be left in a folder that is gone
            raise DepthubError(f"--out {target} is the folder you are in; name one below it, or leave out --out")
    except OSError as error:
        raise DepthubError(f"cannot write {target}: {error.strerror or error}") from error


def _refuse_taken(kind: Kind, names: Names, project: Mapping[str, str]) -> None:
    """Refuse names that another plugin, another package or the project itself needs."""
    from depthub.registry.plugins import installed

    plugins, words = installed(), kind.replace("dataset", "data set")
    for other in plugins.names(f"{kind}s"):
        if other.lower() == names.public(kind).lower():  # names that differ in case only would be confused
            raise DepthubError(f"the {words} {other!r} exists, from {plugins.provider(f'{kind}s', other)}; choose another name")
    for report in plugins.reports:
        if report.name == names.package:
            raise DepthubError(f"the plugin name {names.package!r} is taken by {report.distribution} {report.version}; choose another name")
    package = find_spec(names.package)
    if package and package.origin:  # a mere folder has none
        raise DepthubError(f"the package name {names.package!r} is taken by {package.origin}; choose another name")
    if names.package in {path.partition("/")[0] for path in project}:
        raise DepthubError(f"the package name {names.package!r} is that of a folder in the project; choose another name")
    for path, text in project.items():
        if path.endswith(".py") and names.class_name in _imports(text, names.package):
            raise DepthubError(f"the name {names.class_name!r} is imported in the project's {path}; choose another name")


def _imports(source: str, package: str) -> set[str]:
    """The names that a module imports, other than from `package`."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name for node in nodes if getattr(node, "module", "") != package for alias in node.names}
