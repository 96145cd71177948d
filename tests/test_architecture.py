"""Who may import whom, what is public, and that it is documented."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path

import pytest

import depthub
from depthub.registry import hookspecs
from depthub.registry.plugins import KINDS, installed

ROOT = Path(__file__).parent.parent
CORE = sorted((ROOT / "depthub").rglob("*.py"))
PLUGINS = sorted(
    p for p in [*(ROOT / "plugins").glob("*/"), ROOT / "tests/third_party/depthub_third_party"] if (p / "__init__.py").exists()
)
# From the ground up. A wing (a package, or a file beside them) imports from its own layer or from lower ones.
LAYERS = (
    {"errors", "values", "types", "recipe", "spec", "system", "identity", "compute", "version"},
    {"method", "head", "protocol", "executor", "statistics"},
    {"data", "encoding"},
    {"registry", "boundary"},
    {"records"},
    {"training"},
    {"running"},
    {"inference", "boards", "literature"},
    {"suites", "submissions"},
    {"site", "paper"},
    {"testing"},
    {"cli", "__main__"},
)
LAYER = {wing: height for height, wings in enumerate(LAYERS) for wing in wings}
PUBLIC_PAGE = "__init__"  # names of the public page are imported from it only where a module must not load their own yet


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


def module_of(path: Path) -> str:
    """The dotted name of a file of the core, without `depthub`."""
    names = path.relative_to(ROOT / "depthub").with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" and len(names) > 1 else names)


def modules_imported(path: Path, *, for_types: bool) -> set[str]:
    """The modules of the core that a file imports, dotted, without `depthub`."""
    modules = set()
    for module, name in imported(path, for_types=for_types):
        if module == "depthub":
            modules.add(HOME.get(name, name) if name else PUBLIC_PAGE)
        elif module.startswith("depthub."):
            inner = f"{module}.{name}".removeprefix("depthub.")
            modules.add(inner if inner in MODULES else module.removeprefix("depthub."))
    return modules - {module_of(path)}


HOME = {
    alias.name: node.module
    for node in ast.parse((ROOT / "depthub/__init__.pyi").read_text()).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}
MODULES = {module_of(path): path for path in CORE}


def wing(module: str) -> str:
    """The package below `depthub` that a module lies in, or itself."""
    return module.partition(".")[0]


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_knows_no_plugin_and_imports_downwards(path: Path) -> None:
    assert [module for module, _ in imported(path, for_types=True) if module.startswith("depthub_")] == []
    own = wing(module_of(path))
    if own != PUBLIC_PAGE:
        assert own in LAYER, f"give {own!r} a layer"
        wings = {wing(module) for module in modules_imported(path, for_types=False)} - {own, PUBLIC_PAGE}
        assert {other: LAYER[other] for other in wings if LAYER[other] > LAYER[own]} == {}


@pytest.mark.parametrize("of", [lambda module: module, wing], ids=["modules", "wings"])
def test_no_circle(of: Callable[[str], str]) -> None:
    below: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        below.setdefault(of(module), set()).update(map(of, modules_imported(path, for_types=False)))
    for name, others in below.items():
        others -= {name, PUBLIC_PAGE}
    TopologicalSorter(below).prepare()  # raises CycleError with the circle


# Names of plugins' components in the core, and the reason for each.
NAMED = {
    "depthub/spec.py": {"CoOp", "ITM", "BaseToNew", "shapes"},  # a run's defaults, in one place: the ids of runs depend on them
    "depthub/head.py": {"DePT", "ITM"},  # the core's own head; the remedy of a refusal
}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_names_no_plugins_things(path: Path) -> None:
    """Data sets of depthub_shapes are left out: their names are ordinary words."""
    of_plugins = {
        name
        for kind in KINDS
        for name in installed().names(kind)
        if (kind, installed().provider(kind, name).name) != ("datasets", "shapes")
    }
    tree = ast.parse(path.read_text())
    docstrings = {
        ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    }
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)} - docstrings
    words = {word for text in texts for word in (text, *re.findall(r"\b[A-Z]\w+", text))}
    place = path.relative_to(ROOT).as_posix()
    assert (words & of_plugins) - NAMED.get(place, set()) == set() or place.startswith("depthub/cli/")


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_leans_on_many_others(path: Path) -> None:
    assert len(modules_imported(path, for_types=False)) <= 12


@pytest.mark.parametrize("folder", ["depthub", "plugins", "benchmarks", "tests"])
def test_files_stay_short(folder: str) -> None:
    lengths = {path: path.read_text().count("\n") for path in (ROOT / folder).rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_methods_and_heads_do_not_know_each_other() -> None:
    assert modules_imported(ROOT / "depthub/method.py", for_types=True).isdisjoint({"head", "training.tuner", "training.loop"})
    others = {"method", "encoding.backbone", "training.tuner", "training.loop"}
    assert modules_imported(ROOT / "depthub/head.py", for_types=True).isdisjoint(others)


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
    assert sorted(depthub.__all__) == sorted(HOME) == sorted(dir(depthub))
    for name in depthub.__all__:
        assert getattr(depthub, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = depthub.nothing
    assert depthub.__version__ == version("depthub")


EVENTS = {"depthub_run_started", "depthub_run_finished"}
HOOKS = [getattr(hookspecs, name) for name in vars(hookspecs) if name.startswith("depthub_")]
PUBLIC = [thing for thing in (getattr(depthub, name) for name in depthub.__all__) if inspect.isclass(thing) or inspect.isfunction(thing)]


@pytest.mark.parametrize("thing", [*PUBLIC, *HOOKS], ids=lambda thing: thing.__name__)
def test_what_is_public_is_documented(thing: type) -> None:
    assert thing.__doc__
    assert not thing.__doc__.startswith(f"{thing.__name__}("), "a dataclass writes such a text by itself"


def test_every_hook_has_its_kind_gives_metrics_or_is_a_run_event() -> None:
    assert {hook.__name__ for hook in HOOKS} == {*(f"depthub_{kind}" for kind in KINDS), *EVENTS, "depthub_metrics"}


@pytest.mark.parametrize(
    "path", [*CORE, *(p for package in PLUGINS for p in package.rglob("*.py"))], ids=lambda path: str(path.relative_to(ROOT))
)
def test_modules_say_what_they_are(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
