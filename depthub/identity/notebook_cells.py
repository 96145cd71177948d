"""The digest of code that is in no file of a package, as in notebook cells: of its own source, and of everything that it uses.

A class of a cell uses functions, classes and values of other cells; when one of these changes, so do its numbers. The digest is that of a
description in lines. For

    GAIN = 2
    def start(n): return GAIN * n
    class Mine(Head):
        width = 3
        def loss(self, features, labels): return start(1)

it has about these lines, each object once:

    class Mine: ['Mine', 'Head', ...]
    Head = depthub.head.Head
    Mine.width = 3
    def Mine.loss: <source, normalised>
    def start: <source, normalised>
    GAIN = 2
"""

from __future__ import annotations

import ast
import dis
import hashlib
import linecache
import marshal
import site
import sys
import sysconfig
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from depthub.errors import DepthubError
from depthub.identity.source_code import in_files, normalised_tree, package_sha256

_READS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_CORE = "depthub"


def has_source(cls: type) -> bool:
    """Whether the source of a class can be read; a class without functions needs none."""
    functions = [one for value in vars(cls).values() for one in _functions(value) if one.__module__ == cls.__module__]
    return not functions or any(_source(function.__code__) for function in functions)


def code_sha256(cls: type) -> str:
    """SHA-256 of a class that is in no package's files: of its source, and of everything that it uses, in their present state.

    Functions count by their source without comments, docstrings and layout, or by their compiled form if there is no source. Installed
    modules count by name and version, other modules by their files, and other values by their contents.

    Raises:
        DepthubError: if it uses a value that cannot be described, such as an open file.
    """
    description = _Description()
    description.add(cls.__qualname__, cls)
    return hashlib.sha256("\n".join(description.lines).encode(errors="surrogatepass")).hexdigest()


class _Description:
    """Lines that differ for things that differ; each thing is described once."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._things: dict[int, Any] = {}  # keeps them alive, so that no other thing gets the same address

    def add(self, name: str, thing: Any) -> None:
        """Describe a thing, by its name in the code that uses it, and everything that it uses."""
        if thing is None or isinstance(thing, bool | int | float | complex | str):
            self.lines.append(f"{name} = {thing!r}")
        elif isinstance(thing, bytes):
            self.lines.append(f"{name} = {hashlib.sha256(thing).hexdigest()}")
        elif id(thing) in self._things:
            self.lines.append(f"{name} again")
        else:
            self._things[id(thing)] = thing
            self._add(name, thing)

    def _add(self, name: str, thing: Any) -> None:
        if isinstance(thing, ModuleType):
            self.lines.append(f"{name} = {_filed(thing.__name__)} {getattr(thing, '__version__', '')}")
        elif isinstance(thing, type):
            self._class(name, thing)
        elif functions := list(_functions(thing)):
            for function in functions:
                self._function(name, function)
        elif isinstance(thing, list | tuple | dict | set | frozenset):
            self._items(name, thing)
        else:
            self._object(name, thing)

    def _class(self, name: str, cls: type) -> None:
        if in_files(cls.__module__):
            self.lines.append(f"{name} = {_filed(cls.__module__)}.{cls.__qualname__}")
            return
        self.lines.append(f"class {name}: {[base.__qualname__ for base in cls.__mro__]}")
        for base in cls.__mro__[1:]:
            self.add(base.__qualname__, base)
        for attribute, value in vars(cls).items():
            # attributes that Python itself adds say nothing about the code
            if not attribute.startswith(("__", "_abc_")) or next(_functions(value), None):
                self.add(f"{name}.{attribute}", value)

    def _function(self, name: str, function: FunctionType) -> None:
        if in_files(function.__module__ or ""):
            self.lines.append(f"{name} = {_filed(function.__module__)}.{function.__qualname__}")
            return
        code = function.__code__
        self.lines.append(f"def {name}: {_source(code) or _compiled(code)}")
        self.add(f"{name} defaults", function.__defaults__)
        self.add(f"{name} keywords", function.__kwdefaults__)
        for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self.add(f"{name} {variable}", _content(cell))
        for variable in sorted(_reads(code) & function.__globals__.keys()):
            self.add(variable, function.__globals__[variable])

    def _items(self, name: str, thing: Any) -> None:
        self.lines.append(f"{name} = {type(thing).__name__} of {len(thing)}")
        if isinstance(thing, set | frozenset):  # its order differs between processes
            self.lines.extend(sorted(map(repr, thing)))
            return
        for key, item in thing.items() if isinstance(thing, dict) else enumerate(thing):
            self.add(f"{name}[{key!r}]", item)

    def _object(self, name: str, thing: Any) -> None:
        tensor = getattr(sys.modules.get("torch"), "Tensor", None)
        if tensor and isinstance(thing, tensor):  # its pickle would hold an address
            values: Any = thing.detach().cpu().contiguous().reshape(-1)
            content = values.view(sys.modules["torch"].uint8).numpy().tobytes()
            self.lines.append(f"{name} = {thing.dtype} {tuple(thing.shape)} {hashlib.sha256(content).hexdigest()}")
            return
        try:
            parts = thing.__reduce_ex__(4)
        except Exception as error:
            raise DepthubError(
                f"{name} is a {type(thing).__name__}, which has no digest: create it where it is used, or make it a setting"
            ) from error
        self.lines.append(f"{name} is a {type(thing).__qualname__}")
        for place, part in enumerate([parts] if isinstance(parts, str) else parts):
            self.add(f"{name}({place})", list(part) if isinstance(part, Iterator) else part)


def _functions(thing: Any) -> Iterator[FunctionType]:
    """The functions of a method, a property or a decorated function; none for anything else."""
    if isinstance(thing, FunctionType):
        yield thing
    elif isinstance(thing, staticmethod | classmethod):
        yield from _functions(thing.__func__)
    elif isinstance(thing, property):
        yield from (inner for one in (thing.fget, thing.fset, thing.fdel) for inner in _functions(one))
    elif isinstance(thing, cached_property):
        yield from _functions(thing.func)
    elif isinstance(thing, _Cached):
        yield from _functions(thing.__wrapped__)


_Cached = type(lru_cache(_functions))


def _source(code: CodeType) -> str:
    """The normalised source of a function; empty if it cannot be read."""
    tree = _tree("".join(linecache.getlines(code.co_filename)))
    return " ".join(normalised_tree(node) for node in ast.walk(tree) if _defines(node, code)) if tree else ""


@lru_cache(maxsize=64)
def _tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):  # a file that is not Python
        return None


def _defines(node: ast.AST, code: CodeType) -> bool:
    if isinstance(node, ast.Lambda):
        return code.co_name == "<lambda>" and node.lineno == code.co_firstlineno
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return node.name == code.co_name and min([node, *node.decorator_list], key=lambda one: one.lineno).lineno == code.co_firstlineno


def _compiled(code: CodeType) -> str:
    """SHA-256 of the compiled form of a function, which differs between versions of Python."""
    bare = code.replace(co_filename="", co_firstlineno=1, co_linetable=b"")
    return hashlib.sha256(marshal.dumps(bare, 2)).hexdigest()  # from version 3 on, the bytes depend on reference counts


def _reads(code: CodeType) -> set[str]:
    """Global names in a function and in the functions defined in it; builtins are among them."""
    names = {str(one.argval) for one in dis.get_instructions(code) if one.opname in _READS}
    return names.union(*(_reads(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _filed(module: str) -> str:
    """A module by its name, and by the digest of its files unless it is installed: then its version says which files these are."""
    top = module.partition(".")[0]
    place = getattr(sys.modules.get(top), "__file__", None)
    if place is None or top == _CORE or any(Path(place).is_relative_to(folder) for folder in _installed()):
        return module
    return f"{module} {package_sha256(top)}"


@lru_cache(maxsize=1)
def _installed() -> list[Path]:
    """Folders of installed packages."""
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return [Path(folder) for folder in (*folders, site.getusersitepackages())]
