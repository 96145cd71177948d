"""`depthub new KIND NAME`: a plugin project that installs and passes its tests as it stands."""

from __future__ import annotations

import ast
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template
from typing import Any, Literal

from depthub.cli.options.parser import Parser
from depthub.errors import DepthubError

HELP = "start a plugin project: a method, a head or a protocol"
Kind = Literal["method", "head", "protocol"]
SUFFIX = ".tmpl"  # keeps linters, type checkers and pytest from reading templates as code
CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Names:
    """What the parts of a project are called.

    Args:
        class_name: of the component, which is its public name.
        package: what Python imports; also the name of the entry point.
    """

    class_name: str
    package: str

    @property
    def distribution(self) -> str:
        """What pip installs."""
        return f"depthub-{self.package.replace('_', '-')}"


def parser() -> Parser:
    """The command's options."""
    made = Parser("depthub new", HELP.capitalize() + ". It installs and passes its tests as it stands.")
    made.add_argument("kind", type=Kind, help="what it adds to depthub")
    made.add_argument("name", type=str, help="its name: a class name such as MyPrompts, or my_prompts")
    made.add_argument("--out", type=Path, default=None, help="the project's folder; by default ./depthub-my-prompts")
    return made


def main(config: Any) -> int:
    """Write the project and say how to go on; the exit status."""
    names = derive(config.name)
    target = config.out or Path(names.distribution)
    project = render(config.kind, names)
    _refuse_used(target)
    _refuse_taken(config.kind, names, project)
    write(target, project)
    print(f"{target} is written. Next, in that folder:")
    print('  python -m pip install -e ".[test]"\n  depthub plugins\n  python -m pytest')
    return 0


def derive(given: str) -> Names:
    """All names from one, be it a class name or in snake case.

    Raises:
        DepthubError: if it is neither, or gives a Python keyword.
    """
    if CLASS_NAME.fullmatch(given):
        names = Names(given, _snake(given))
    elif SNAKE_CASE.fullmatch(given):
        names = Names("".join(word.capitalize() for word in given.split("_")), given)
    else:
        guess = re.sub(r"[^a-z0-9]+", "_", _snake(given)).strip("_")
        near = f"; did you mean {guess!r}?" if given.isascii() and SNAKE_CASE.fullmatch(guess) else ""
        raise DepthubError(f"cannot name a plugin {given!r}{near or ';'} expected a class name such as MyPrompts, or my_prompts")
    for name in (names.class_name, names.package):
        if iskeyword(name):
            raise DepthubError(f"cannot name a plugin {given!r}: {name!r} is a word of the Python language; choose another name")
    return names


def render(kind: Kind, names: Names) -> dict[str, str]:
    """The project's files: text by path. What a kind has of its own takes the place of what is common."""
    known = {"kind": kind, "class_name": names.class_name, "package": names.package, "distribution": names.distribution}
    templates = files("depthub") / "templates"
    found = dict(_read(templates / "common")) | dict(_read(templates / kind))
    return {path.replace("PACKAGE", names.package): Template(text).substitute(known) for path, text in found.items()}


def write(target: Path, project: Mapping[str, str]) -> None:
    """Write a folder that is there whole or not at all.

    Args:
        target: the folder; it may exist if it is empty.
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
            raise DepthubError(f"{target} exists and is no folder; name another with --out")
        if target.exists() and any(target.iterdir()):
            raise DepthubError(f"{target} exists and is not empty; nothing was changed: name another folder with --out")
        if target.resolve() == Path.cwd():  # the terminal would be left in a folder that is gone
            raise DepthubError(f"--out {target} is the folder you are in; name one below it, or leave out --out")
    except OSError as error:
        raise DepthubError(f"cannot write {target}: {error.strerror or error}") from error


def _refuse_taken(kind: Kind, names: Names, project: Mapping[str, str]) -> None:
    """Names that another plugin, another package or the project itself needs."""
    from depthub.registry.plugins import installed

    plugins = installed()
    for known in plugins.names(f"{kind}s"):
        if known.lower() == names.class_name.lower():  # two names that differ in case only would be taken for one another
            raise DepthubError(f"the {kind} {known!r} exists, from {plugins.provider(f'{kind}s', known)}; choose another name")
    for report in plugins.reports:
        if report.name == names.package:
            raise DepthubError(f"the plugin name {names.package!r} is taken by {report.distribution} {report.version}; choose another name")
    found = find_spec(names.package)
    if found and found.origin:  # a mere folder has none
        raise DepthubError(f"the package name {names.package!r} is taken by {found.origin}; choose another name")
    if names.package in {path.partition("/")[0] for path in project}:
        raise DepthubError(f"the package name {names.package!r} is that of a folder in the project; choose another name")
    for path, text in project.items():
        if path.endswith(".py") and names.class_name in _imports(text, names.package):
            raise DepthubError(f"the name {names.class_name!r} is imported in the project's {path}; choose another name")


def _imports(source: str, package: str) -> set[str]:
    """The names that a module imports, other than from `package`."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name for node in nodes if getattr(node, "module", "") != package for alias in node.names}
