"""`depthub new`: projects that work as they stand, and one line for what cannot be one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import depthub
from depthub.cli import main
from depthub.cli.commands import new
from depthub.errors import DepthubError
from depthub.registry.plugins import installed

PROJECTS = {"method": "MyCLIPPrompts2", "head": "scaled_cosine", "protocol": "AQuiteLongNameForAProtocolOfAllClasses"}
CLASSES = {"method": "MyCLIPPrompts2", "head": "ScaledCosine", "protocol": "AQuiteLongNameForAProtocolOfAllClasses"}
kinds = pytest.mark.parametrize("kind", list(PROJECTS))


def python(folder: Path, *args: str, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Python with a project's folder as the current one, and packages from `site` beside those of this environment."""
    path = os.pathsep.join(filter(None, [str(site or ""), os.environ.get("PYTHONPATH", "")]))
    environ = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *args], cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each kind's project."""
    root = tmp_path_factory.mktemp("projects")
    for kind, name in PROJECTS.items():
        assert main(["new", kind, name, "--out", str(root / kind)]) == 0
    return {kind: root / kind for kind in PROJECTS}


@pytest.fixture(scope="module")
def site(projects: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all three are installed, without a network."""
    folder = tmp_path_factory.mktemp("installed") / "site"
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder)]
    done = python(folder.parent, "-m", "pip", "install", *options, *map(str, projects.values()))
    assert done.returncode == 0, done.stderr
    return folder


def test_the_projects_are_plugins(site: Path) -> None:
    done = python(site, "-m", "depthub", "plugins", "--json")
    reports = {report["name"]: report for report in json.loads(done.stdout)}
    found = {name: (reports[name]["distribution"], reports[name]["provides"], reports[name]["faults"]) for name in reports}
    assert found["my_clip_prompts2"] == ("depthub-my-clip-prompts2", {"methods": [CLASSES["method"]]}, [])
    assert found["scaled_cosine"] == ("depthub-scaled-cosine", {"heads": [CLASSES["head"]]}, [])
    long = "a_quite_long_name_for_a_protocol_of_all_classes"
    assert found[long] == (f"depthub-{long.replace('_', '-')}", {"protocols": [CLASSES["protocol"]]}, [])


@kinds
def test_a_project_passes_its_tests(kind: str, projects: dict[str, Path], site: Path) -> None:
    done = python(projects[kind], "-m", "pytest", "-q", "-p", "no:cacheprovider", site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@kinds
@pytest.mark.skipif(find_spec("ruff") is None, reason="ruff is not installed")
def test_a_project_is_clean(kind: str, projects: dict[str, Path]) -> None:
    for command in (["check"], ["format", "--check"]):
        done = python(projects[kind], "-m", "ruff", *command, "--no-cache")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@kinds
@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_a_project_is_typed(
    kind: str, projects: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.getbasetemp() / "mypy"  # shared, for torch takes long
    # mypy does not see what an editable installation leaves to an import hook, nor takes a path that is on Python's own
    seen = tmp_path_factory.mktemp("seen")
    (seen / "depthub").symlink_to(Path(depthub.__file__).parent)
    monkeypatch.setenv("MYPYPATH", str(seen))
    done = python(projects[kind], "-m", "mypy", "src", "tests", "--follow-imports", "silent", "--cache-dir", str(cache))
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_placeholder_is_left(projects: dict[str, Path]) -> None:
    for folder in projects.values():
        files = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
        assert {"pyproject.toml", "tox.ini", "README.md", ".gitignore", os.path.join(".github", "workflows", "test.yml")} <= files.keys()  # noqa: PTH118
        assert not [path for path, text in files.items() if "PACKAGE" in path + text or "$" in text.replace("${{ matrix", "")]


def test_it_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "head", "MyHead"]) == 0
    first, *commands = capsys.readouterr().out.splitlines()
    assert first == "depthub-my-head is written. Next, in that folder:"
    assert commands == ["  python -m pip install --no-build-isolation -e .", "  depthub plugins", "  python -m pytest"]
    assert [path.name for path in tmp_path.iterdir()] == ["depthub-my-head"]


def test_its_help_is_quick(tmp_path: Path) -> None:
    code = "import sys; from depthub.cli import main; main(sys.argv[1:]); sys.exit(len({'torch', 'open_clip'} & set(sys.modules)))"
    done = python(tmp_path, "-c", code, "new", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "{method,head,protocol,dataset,backbone,executor}" in done.stdout


@pytest.mark.parametrize(
    ("given", "class_name", "package"),
    [
        ("MyPrompts", "MyPrompts", "my_prompts"),
        ("my_prompts", "MyPrompts", "my_prompts"),
        ("prompts", "Prompts", "prompts"),
        ("KgCoOp", "KgCoOp", "kg_co_op"),
        ("VPT2Deep", "VPT2Deep", "vpt2_deep"),
        ("vpt_2d", "Vpt2d", "vpt_2d"),
        ("X", "X", "x"),
    ],
)
def test_all_names_come_from_one(given: str, class_name: str, package: str) -> None:
    assert new.derive(given) == new.Names(class_name, package)


REFUSED = [
    ("method my-prompts", "cannot name a plugin 'my-prompts'; did you mean 'my_prompts'? expected a class name such as MyPrompts"),
    ("method myPrompts", "cannot name a plugin 'myPrompts'; did you mean 'my_prompts'? expected"),
    ("method 3d", "cannot name a plugin '3d'; expected a class name such as MyPrompts, or my_prompts"),
    ("method Größe", "cannot name a plugin 'Größe'; expected"),
    ("method ../escape", "cannot name a plugin '../escape'; did you mean 'escape'? expected"),
    ("method Lambda", "cannot name a plugin 'Lambda': 'lambda' is a word of the Python language"),
    ("head none", "cannot name a plugin 'none': 'None' is a word of the Python language"),
    ("method CoOp", "the method 'CoOp' exists, from plugin 'coop' of depthub "),
    ("head itm", "the head 'ITM' exists, from plugin 'clip' of depthub "),
    ("head coop", "the plugin name 'coop' is taken by depthub "),
    ("method Json", "the package name 'json' is taken by "),
    ("method depthub", "the package name 'depthub' is taken by "),
    ("method Tests", "the package name 'tests' is "),
    ("method Prompts", "the name 'Prompts' is imported in the project's src/prompts/__init__.py"),
    ("protocol Examples", "the name 'Examples' is imported in the project's tests/test_examples.py"),
    ("metod MyPrompts", "kind: got 'metod', expected one of method, head, protocol, dataset, backbone, executor; did you mean 'method'?"),
    ("method", "missing: NAME; `depthub new --help` shows the usage"),
]


@pytest.mark.parametrize(("line", "says"), REFUSED, ids=[line for line, _ in REFUSED])
def test_a_name_that_cannot_be_costs_one_line(
    line: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", *line.split()]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"depthub: error: {says}")
    assert list(tmp_path.iterdir()) == []


def test_no_plugin_can_be_started_anew() -> None:
    for kind in PROJECTS:
        for name in installed().names(f"{kind}s"):
            names = new.derive(name)
            with pytest.raises(DepthubError, match=rf"the {kind} '{name}' exists, from plugin"):
                new._refuse_taken(kind, names, {})  # type: ignore[arg-type]


def test_nothing_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    used, file, empty = tmp_path / "used", tmp_path / "file", tmp_path / "empty"
    used.mkdir()
    empty.mkdir()
    for path in (file, used / "mine"):
        path.write_text("mine")
    for target, says in ((used, "exists and is not empty; nothing was changed"), (file, "exists and is not a folder")):
        assert main(["new", "head", "MyHead", "--out", target.name]) == 2
        assert capsys.readouterr().err.startswith(f"depthub: error: {target.name} {says}")
    assert [path.read_text() for path in (file, used / "mine")] == ["mine", "mine"]
    assert main(["new", "head", "MyHead", "--out", str(empty)]) == 0
    assert (empty / "pyproject.toml").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "used"]


def test_the_folder_one_is_in_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "head", "MyHead", "--out", "."]) == 2
    assert "--out . is the folder you are in; name one below it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full disk", "interrupted"])
def test_a_project_is_there_whole_or_not_at_all(failure: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, written = Path.write_bytes, []

    def fail(path: Path, data: bytes) -> int:
        if len(written) == 3:
            raise failure
        written.append(path)
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fail)
    assert main(["new", "method", "MyPrompts", "--out", str(tmp_path / "project")]) == (2 if isinstance(failure, OSError) else 130)
    assert len(written) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_fills_meanwhile_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(DepthubError, match=r"cannot write .*not empty"):
        new.write(tmp_path, {"mine": "theirs"})
    assert (tmp_path / "mine").read_text() == "mine"
    assert [path.name for path in tmp_path.parent.iterdir() if path.name.startswith(f".{tmp_path.name}.")] == []
