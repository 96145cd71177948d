"""Who may import whom, what is public, and that it is documented."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import depthub
from depthub import hookspecs

ROOT = Path(__file__).parent.parent
CORE = sorted((ROOT / "depthub").rglob("*.py"))
PLUGINS = sorted(
    p for p in [*(ROOT / "plugins").glob("*/"), ROOT / "tests/third_party/depthub_third_party"] if (p / "__init__.py").exists()
)
# A module imports from lower layers only, or from its own package.
LAYERS = (
    {"__init__", "activity", "annotations", "archive", "canonical", "classified", "dialects", "errors", "executor"}
    | {"flat", "hookspecs"}
    | {"numerics", "provenance", "text", "token_trie", "written"},
    {"cells", "files", "foreign", "importance", "isolation", "launch", "linear", "network", "options", "protocol", "recording"}
    | {"schema", "showing", "types", "values", "weights"},
    {"block", "device", "digests", "distributions", "head", "inputs", "metrics", "ranks", "sentences", "spec", "statistics"},
    {"admission", "cache", "data", "image_tower", "method", "picture", "predictions", "schedule", "sources", "text_encoder"},
    {"backbone", "boundary", "plugins", "result", "stored"},
    {"comparison", "in_memory", "loading", "model", "scoring", "settings"},
    {"checkpoint", "document", "presets", "replay", "stack", "text_features"},
    {"batches", "job", "recall", "resolving", "store"},
    {"collection", "evaluation", "features", "grouping", "leaderboard"},
    {"engine", "models"},
    {"attempt", "classifier", "registering"},
    {"export", "jobs", "predicting", "rescoring"},
    {"runner"},
    {"calibration", "testing"},
    {"cli"},
    {"__main__"},
)
LAYER = {name: depth for depth, names in enumerate(LAYERS) for name in names}


def imported(path: Path, *, for_types: bool) -> Iterator[tuple[str, str]]:
    """(module, name) of every import, wherever it stands; name is empty for a plain `import`."""

    def walk(node: ast.AST) -> Iterator[tuple[str, str]]:
        for child in ast.iter_child_nodes(node):
            if not for_types and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, "") for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.level == 0:  # a relative import stays in its own package
                yield from ((child.module or "", alias.name) for alias in child.names)
            yield from walk(child)

    yield from walk(ast.parse(path.read_text()))


def own(path: Path) -> str:
    """The part of the core that a file belongs to."""
    return path.relative_to(ROOT / "depthub").with_suffix("").parts[0]


def parts(path: Path, *, for_types: bool) -> set[str]:
    """The parts of the core that a file imports."""
    found = set()
    for module, name in imported(path, for_types=for_types):
        if module == "depthub":
            found.add(depthub._HOME.get(name, name).partition(".")[0] if name else "__init__")
        elif module.startswith("depthub."):
            found.add(module.split(".")[1])
    return found - {own(path)}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_knows_no_plugin_and_imports_downwards(path: Path) -> None:
    assert [module for module, _ in imported(path, for_types=True) if module.startswith("depthub_")] == []
    assert own(path) in LAYER, f"give {own(path)!r} a layer"
    assert {part: LAYER[part] for part in parts(path, for_types=False) if LAYER[part] >= LAYER[own(path)]} == {}


def test_methods_and_heads_do_not_know_each_other() -> None:
    assert parts(ROOT / "depthub/method.py", for_types=True).isdisjoint({"head", "model", "engine"})
    assert parts(ROOT / "depthub/head.py", for_types=True).isdisjoint({"method", "backbone", "model", "engine"})


@pytest.mark.parametrize("package", PLUGINS, ids=lambda path: path.name)
def test_plugins_import_public_names_only(package: Path) -> None:
    for path in package.rglob("*.py"):
        for module, name in imported(path, for_types=True):
            if module.split(".")[0].startswith("depthub"):
                public = module == "depthub" and name in depthub.__all__
                assert public or module.split(".")[0] == package.name, f"{path}: from {module} import {name}"


def test_a_third_party_needs_no_word_of_dept() -> None:
    assert [
        p for p in (ROOT / "tests/third_party").rglob("*.py") if "dept" in p.read_text().lower().replace("depthub", "").replace("depth", "")
    ] == []


def test_the_public_names_are_complete_and_there() -> None:
    assert sorted(depthub.__all__) == sorted(depthub._HOME)
    tree = ast.parse((ROOT / "depthub/__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    assert {alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names} == set(depthub.__all__)
    for name in depthub.__all__:
        assert getattr(depthub, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = depthub.nothing


HOOKS = [getattr(hookspecs, name) for name in vars(hookspecs) if name.startswith("depthub_")]
PUBLIC = [thing for thing in (getattr(depthub, name) for name in depthub.__all__) if inspect.isclass(thing) or inspect.isfunction(thing)]


@pytest.mark.parametrize("thing", [*PUBLIC, *HOOKS], ids=lambda thing: thing.__name__)
def test_what_is_public_is_documented(thing: type) -> None:
    assert thing.__doc__
    assert not thing.__doc__.startswith(f"{thing.__name__}("), "a dataclass writes such a text by itself"


def test_every_hook_has_its_kind_or_is_a_run_event() -> None:
    from depthub.plugins import KINDS

    assert {hook.__name__ for hook in HOOKS} == {*(f"depthub_{kind}" for kind in KINDS), "depthub_run_started", "depthub_run_finished"}


@pytest.mark.parametrize(
    "path", [*CORE, *(p for package in PLUGINS for p in package.rglob("*.py"))], ids=lambda path: str(path.relative_to(ROOT))
)
def test_modules_say_what_they_are(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
