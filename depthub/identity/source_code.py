"""Python code without comments, docstrings and layout, and its digest: for a piece of source, and for the files of a package.

`x = (1)  # one` and `x = 1` are the same code:

    ['Module', {'body': [['Assign', {'targets': [['Name', {'id': 'x', 'ctx': ['Store', {}]}]], 'value': ['Constant', {'value': 1}]}]]}]
"""

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
_digests: dict[str, tuple[list[ModuleSpec | None], str]] = {}  # by package: the specs of its imported modules, and its digest then


def normalised(source: str) -> str:
    """Python code without comments, docstrings and layout; the same in every version of Python that has the same syntax tree."""
    return normalised_tree(ast.parse(source))


def normalised_tree(tree: ast.AST) -> str:
    """A syntax tree in one line, without docstrings and line numbers."""
    return repr(_plain(tree))


def in_files(module: str) -> bool:
    """Whether a module's code is in files of its own; that of a notebook, a script or an interpreter is not."""
    return module != "__main__" and _file_of(module.partition(".")[0]) is not None


def package_sha256(name: str) -> str:
    """SHA-256 of the code in all files of an imported top-level module or package; empty if it has none.

    It is computed when it is first asked for, and again after a module of the package was imported or reloaded: the digest is that of the
    code in memory, even if a file has changed since.
    """
    if not in_files(name):
        return ""
    specs = [module.__spec__ for part, module in [*sys.modules.items()] if part.partition(".")[0] == name and hasattr(module, "__spec__")]
    earlier, sha256 = _digests.get(name, ([], ""))
    if not sha256 or len(earlier) != len(specs) or any(one is not other for one, other in zip(earlier, specs, strict=True)):
        sha256 = _sha256(Path(str(_file_of(name))))
        _digests[name] = (specs, sha256)
    return sha256


def _file_of(name: str) -> str | None:
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
        with suppress(SyntaxError, ValueError):  # a file that is not Python counts by its bytes
            content = normalised(content.decode()).encode()
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
