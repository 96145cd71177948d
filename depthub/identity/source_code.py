"""What Python code says, whatever its comments, docstrings and layout: of a piece of source, and of the files of a package."""

from __future__ import annotations

import ast
import hashlib
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_LEFT_OUT = {"__pycache__", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_known: dict[str, tuple[list[ModuleSpec | None], str]] = {}


def said(source: str) -> str:
    """Python code without comments, docstrings and layout; alike in every version of Python that has the same syntax tree."""
    return plain(ast.parse(source))


def plain(tree: ast.AST) -> str:
    """A syntax tree in one line, without docstrings and places."""
    return repr(_plain(tree))


def in_files(module: str) -> bool:
    """Whether a module's code is told by files; that of a notebook, a script or an interpreter is not."""
    return module != "__main__" and _place(module.partition(".")[0]) is not None


def package_sha256(name: str) -> str:
    """SHA-256 of what the files of a top-level module or package say that is imported; empty if it has none.

    Files count as they were when this was first asked after the package, or a part of it, was imported or reloaded.
    """
    if not in_files(name):
        return ""
    specs = [module.__spec__ for part, module in [*sys.modules.items()] if part.partition(".")[0] == name and hasattr(module, "__spec__")]
    then, sha256 = _known.get(name, ([], ""))
    if not sha256 or len(then) != len(specs) or any(one is not other for one, other in zip(then, specs, strict=True)):
        sha256 = _sha256(Path(str(_place(name))))
        _known[name] = (specs, sha256)
    return sha256


def _place(name: str) -> str | None:
    return getattr(sys.modules.get(name), "__file__", None)


def _sha256(file: Path) -> str:
    files = _files(file.parent) if file.name == "__init__.py" else [file]
    lines = (f"{path.relative_to(file.parent).as_posix()} {_file_sha256(path)}\n" for path in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    inside = (path for path in folder.rglob("*") if path.is_file() and _LEFT_OUT.isdisjoint(path.parts))
    return sorted(path for path in inside if path.suffix not in (".pyc", ".md"))


def _file_sha256(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".py":
        with suppress(SyntaxError, ValueError):  # what is not Python after all counts as it is
            content = said(content.decode()).encode()
    return hashlib.sha256(content).hexdigest()


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = fields["body"][1:]
    # newer versions of Python add fields that are empty unless used
    return [type(node).__name__, {name: _plain(value) for name, value in fields.items() if value not in (None, [])}]
