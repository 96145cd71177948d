"""Wrong components and damaged packages of plugins: each fault is one line, and everything else works."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from depthub import Head
from depthub.cli import main
from depthub.registry.foreign import package_of, subclasses
from depthub.registry.plugins import PluginReport, Plugins, installed
from depthub.system.provenance import source
from tests.conftest import MakeDistribution

PARTS = {
    "methods": """
class Thing(Method):
    def __init__(self, backbone, classes, *, n: int = 1) -> None: super().__init__(backbone, classes)
    def features(self, backbone, images, classes): ...
GIVES = Thing
""",
    "heads": """
class Thing(Head):
    def __init__(self, dim, classes, *, n: int = 1) -> None: super().__init__(dim, classes)
    def loss(self, features, labels): ...
    def forward(self, features): ...
GIVES = Thing
""",
    "protocols": """
class Thing(Protocol):
    def __init__(self, *, n: int = 1) -> None: ...
    def stages(self, source, load, shots, seed): ...
    def scores(self, counts): ...
GIVES = Thing
""",
    "datasets": """
class Thing(DataSet):
    name = "Thing"
    def load(self, root=None): ...
GIVES = Thing()
""",
    "backbones": """
class Thing(NamedBackbone): ...
GIVES = Thing("Thing", "local-dir:/nowhere")
""",
    "texts": """
class Thing(NamedTexts): ...
GIVES = Thing("Thing", "/nowhere.json")
""",
    "executors": """
class Thing(Executor):
    def __init__(self, *, n: int = 1) -> None: ...
    def map(self, do, specs): return iter(())
GIVES = Thing
""",
}
HEADER = "from depthub import DataSet, Executor, Head, Method, NamedBackbone, NamedTexts, Preset, Protocol, hookimpl\n"
HOOK = "\n@hookimpl\ndef depthub_{kind}(): return [GIVES]\n"
INSTANCES = ("datasets", "backbones", "texts")


def plugin(kind: str, change: str = "") -> str:
    """The source of a working plugin of a kind, with a change to its component before the hook returns it."""
    return HEADER + PARTS[kind] + change + HOOK.format(kind=kind)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    installed.cache_clear()
    yield
    installed.cache_clear()


Outcome = Callable[[str, str], PluginReport]


@pytest.fixture
def outcome(make_distribution: MakeDistribution, capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Installs a plugin and returns its report, after a check that commands and built-in plugins still work."""

    def install(module: str, code: str) -> PluginReport:
        make_distribution("odd-dist", {"odd": module}, {module: code}, version="1.5")
        return goes_on(capsys)

    return install


def goes_on(capsys: pytest.CaptureFixture[str], name: str = "odd") -> PluginReport:
    plugins = installed()
    assert {"CoOp", "ITM", "BaseToNew", "tones", "shapes", "Local"} <= {
        name for kind in ("methods", "heads", "protocols", "datasets", "backbones", "executors") for name in plugins.names(kind)
    }
    assert plugins.get("methods", "CoOp").__name__ == "CoOp"
    capsys.readouterr()
    assert main(["plugins"]) == 0
    assert name in capsys.readouterr().out
    assert main(["plugins", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    (report,) = (report for report in plugins.reports if report.name == name)
    assert [one["faults"] for one in listed if one["name"] == name] == [[*report.faults]]
    assert all("\n" not in fault and fault.isprintable() and len(fault) < 500 for fault in report.faults)
    assert report.works == (not report.faults)
    return report


@pytest.mark.parametrize("kind", PARTS)
def test_what_is_right_comes_in(kind: str, outcome: Outcome) -> None:
    assert outcome(f"right_{kind}", plugin(kind)).provides == {kind: ("Thing",)}


# Every attribute of every kind: raising, of another type, missing; on components, and on the class of instances.

METHODS = {
    "methods": ("features", "losses", "check", "after_epoch"),
    "heads": ("loss", "forward", "check", "gives_probabilities"),
    "protocols": ("stages", "scores", "summary"),
    "datasets": ("load", "digest"),
    "executors": ("map",),
}
VALUES = {
    "methods": ("needs_image", "tunes_image", "presets"),
    "heads": ("lr_scale",),
    "protocols": ("headline", "harmonic"),
    "datasets": ("name", "aliases", "augmentation"),
    "backbones": ("name", "model", "pretrained", "summary"),
    "texts": ("name", "path", "summary"),
}
RAISING = "property(lambda self: 1 / 0)"
MADE = [
    *((kind, name, value) for kind, names in METHODS.items() for name in names for value in ("3", "None", "'text'")),
    *(
        (kind, name, value)
        for kind, names in VALUES.items()
        for name in names
        for value in ("object()", "None", "3.5j", "[[1]]", "float('nan')")
    ),
    *((kind, name, RAISING) for kind in INSTANCES for name in VALUES[kind]),
    *((kind, name, "property(lambda self: [])") for kind in INSTANCES for name in VALUES[kind] if name != "aliases"),
]


@pytest.mark.parametrize(("kind", "name", "value"), MADE)
def test_an_attribute_that_is_not_what_it_should_be(kind: str, name: str, value: str, outcome: Outcome) -> None:
    report = outcome(f"made_{abs(hash((kind, name, value)))}", plugin(kind, f"setattr(Thing, {name!r}, {value})\n" + again(kind)))
    assert len(report.faults) == 1
    assert name in report.faults[0] or "ZeroDivisionError" in report.faults[0] or "with name" in report.faults[0]
    assert ".py, line " in report.faults[0]


def again(kind: str) -> str:
    """Code that removes an instance's own values, which hide those of its class."""
    return "vars(GIVES).clear()\n" if kind in ("backbones", "texts") else ""


@pytest.mark.parametrize("kind", ["methods", "heads", "protocols", "executors"])
@pytest.mark.parametrize("name", ["__mro__", "__name__", "__module__", "__qualname__", "__doc__", "__abstractmethods__", "__signature__"])
def test_a_metaclass_that_raises(kind: str, name: str, outcome: Outcome) -> None:
    base = {"methods": "Method", "heads": "Head", "protocols": "Protocol", "executors": "Executor"}[kind]
    metaclass = f"""
class Meta(type({base})):
    def __getattribute__(cls, name):
        if name == {name!r}: raise GeneratorExit(name)
        return super().__getattribute__(name)
class Odd(Thing, metaclass=Meta): ...
GIVES = Odd
"""
    assert ".py, line " in outcome(f"meta_{kind}_{name.strip('_')}", plugin(kind, metaclass)).faults[0]


METACLASS = """
class Meta(type(Head)):
    def {name}(cls, *args): raise SystemExit("no")
class Odd(Thing, metaclass=Meta): ...
GIVES = Odd
"""


@pytest.mark.parametrize("name", ["__instancecheck__", "__subclasscheck__", "__repr__", "__hash__", "__eq__", "__dir__", "__bool__"])
def test_a_metaclass_that_answers_with_an_error(name: str, outcome: Outcome) -> None:
    """Fault or not, other plugins are not affected."""
    outcome(f"answers_{name.strip('_')}", plugin("heads", METACLASS.format(name=name)))
    assert not issubclass(int, Head), "calls the metaclass of every remaining subclass"
    assert not [subclass for subclass in subclasses(Head) if package_of(subclass) == f"answers_{name.strip('_')}"]


ODD: dict[str, tuple[str, str]] = {
    "no_identifier": (plugin("heads", "Thing.__name__ = 'not a name'\n"), "gives a class with name 'not a name'"),
    "keyword": (plugin("heads", "Thing.__name__ = 'lambda'\n"), "gives a class with name 'lambda'"),
    "made_by_type": (plugin("heads", "GIVES = type('two words', (Thing,), {})\n"), "gives a class with name 'two words'"),
    "escape": (plugin("heads", "GIVES = type('\\x1b[31m', (Thing,), {})\n"), "gives a class with name"),
    "long": (plugin("heads", "GIVES = type('a' * 9999, (Thing,), {})\n"), "gives a class with name 'aaaa"),
    "nowhere": (
        plugin("heads", "GIVES = type('Made', (Thing,), {})\n"),
        "gives Made, which is not found as",
    ),
    "inner": (
        plugin("heads", "def make():\n    class Inner(Thing): ...\n    return Inner\nGIVES = make()\n"),
        "define it at the top of its module",
    ),
    "renamed": (plugin("heads", "Thing.__name__ = 'Other'\n"), "gives Other, which is not found as odd_renamed.Thing"),
    "registered": (plugin("heads", "class Odd: ...\nHead.register(Odd)\nGIVES = Odd\n"), "expected a subclass of Head"),
    "lies": (plugin("datasets", "class Odd:\n    __class__ = DataSet\n    name = 'x'\nGIVES = Odd()\n"), "expected an instance of DataSet"),
    "repr": (plugin("datasets", "class Odd:\n    def __repr__(self): raise OSError\nGIVES = Odd()\n"), "gives a Odd, expected an instance"),
    "long_repr": (plugin("datasets", "class Odd:\n    def __repr__(self): return 'x\\n' * 9999\nGIVES = Odd()\n"), "x x x"),
    "name_changes": (
        plugin("datasets", "import itertools\nn = itertools.count()\nThing.name = property(lambda self: f'a{next(n)}')\n"),
        "gives a data set whose name changes from 'a0' to 'a1'",
    ),
    "name_subclass": (plugin("datasets", "class Str(str): ...\nThing.name = Str('x')\n"), "gives a data set with name 'x'"),
    "nameless": (plugin("datasets", "del Thing.name\n"), "with name None"),
    "aliases_text": (plugin("datasets", "Thing.aliases = 'abc'\n"), "Thing.aliases is 'abc', expected a tuple of texts"),
    "signature": (plugin("heads", "Thing.__signature__ = 3\n"), "TypeError"),
    "signature_of_nothing": (
        plugin("heads", "import inspect\nThing.__signature__ = inspect.Signature()\n"),
        "constructor takes <Signature ()>, expected (dim, classes, *, settings)",
    ),
    "signature_of_another": (
        plugin("heads", "import inspect\nThing.__signature__ = inspect.signature(lambda dim, classes, *, m: int = 2: 0)\n"),
        "SyntaxError",
    ),
    "signature_lies": (
        plugin("heads", "import inspect\ndef other(dim, classes, *, m: int = 2): ...\nThing.__signature__ = inspect.signature(other)\n"),
        "Thing's signature is not that of its constructor: got an unexpected keyword argument 'm'",
    ),
    "default_no_json": (plugin("heads").replace("n: int = 1", "n: object = object()"), "setting 'n' is <object object"),
    "default_set": (plugin("heads").replace("n: int = 1", "n: set = {1}"), "setting 'n' is {1} by default, expected a value that JSON has"),
    "default_nan": (plugin("heads").replace("n: int = 1", "n: float = float('inf')"), "setting 'n' is inf by default"),
    "default_class": (plugin("heads").replace("n: int = 1", "n: type = int"), "setting 'n' is <class 'int'> by default"),
    "default_wrong": (plugin("heads").replace("n: int = 1", "n: int = 'x'"), "setting 'n' is 'x' by default, expected int"),
    "default_huge": (plugin("heads").replace("n: int = 1", "n: int = 2**60"), "setting 'n' is 1152921504606846976"),
    "default_surrogate": (plugin("heads").replace("n: int = 1", "n: str = chr(0xd800)"), "setting 'n' is '\\ud800' by default"),
    "default_private": (plugin("heads").replace("n: int", "_n: int"), "setting '_n' has a name that the command line cannot offer"),
    "default_help": (plugin("heads").replace("n: int", "help: int"), "setting 'help' has a name that the command line cannot offer"),
    "annotation": (plugin("heads").replace("n: int", "n: 'a b'"), "SyntaxError"),
    "presets_none": (plugin("methods", "Thing.presets = None\n"), "Thing.presets is None, expected a tuple of Preset"),
    "presets_one": (plugin("methods", "Thing.presets = Preset('own')\n"), "expected a tuple of Preset"),
    "presets_item": (plugin("methods", "Thing.presets = ({'name': 'own'},)\n"), "Thing.presets[0] is {'name': 'own'}, expected a Preset"),
    "preset_setting": (
        plugin("methods", "Thing.presets = (Preset('own', {'m': 1}),)\n"),
        "preset 'own' of Thing: unknown setting 'm'; known: n",
    ),
    "preset_value": (plugin("methods", "Thing.presets = (Preset('own', {'n': 'four'}),)\n"), "setting 'n' is 'four', expected int"),
    "preset_values": (plugin("methods", "Thing.presets = (Preset('own', [1]),)\n"), "its values are [1], expected a dictionary"),
    "preset_key": (plugin("methods", "Thing.presets = (Preset('own', {3: 1}),)\n"), "unknown setting 3"),
    "preset_field": (
        plugin("methods", "Thing.presets = (Preset('own', {}, {'lrr': 1}),)\n"),
        "unknown field of the recipe 'lrr'; did you mean 'lr'?",
    ),
    "preset_recipe": (
        plugin("methods", "Thing.presets = (Preset('own', {}, {'epochs': -3}),)\n"),
        "training.epochs is -3, expected at least 0",
    ),
    "preset_type": (plugin("methods", "Thing.presets = (Preset('own', {}, {'epochs': 'ten'}),)\n"), "training.epochs is 'ten'"),
    "preset_object": (plugin("methods", "Thing.presets = (Preset('own', {}, {'lr': object()}),)\n"), "'lr' is <object object"),
    "preset_name": (plugin("methods", "Thing.presets = (Preset(3),)\n"), "preset 3 of Thing: its name is invalid"),
    "preset_protocols": (
        plugin("methods", "Thing.presets = (Preset('own', protocols='FewShot'),)\n"),
        "protocols is 'FewShot', expected a tuple of str",
    ),
    "preset_shots": (plugin("methods", "Thing.presets = (Preset('own', shots=('16',)),)\n"), "shots is ('16',), expected a tuple of int"),
    "import_exit": ("raise SystemExit(3)", "cannot import 'odd_import_exit': SystemExit: 3 (odd_import_exit.py, line 2)"),
    "import_generator_exit": ("raise GeneratorExit", "GeneratorExit"),
    "import_own": (
        "class Own(BaseException):\n    def __str__(self): raise OSError\nraise Own",
        "cannot import 'odd_import_own': Own (odd",
    ),
    "import_recursion": ("def f(): f()\nf()", "RecursionError"),
    "import_input": ("input('name? ')", "EOFError"),
    "import_replaced": ("import sys\nsys.modules[__name__] = 3", "is a int, expected a module"),
    "module_getattr": ("from depthub import hookimpl\ndef __dir__(): raise OSError('dir')", "cannot be registered: OSError: dir"),
    "hook_none": (
        HEADER + "@hookimpl\ndef depthub_heads(): ...",
        "depthub_heads gives nothing, expected a list (odd_hook_none.py, line 3)",
    ),
    "hook_number": (HEADER + "@hookimpl\ndef depthub_heads(): return 3", "depthub_heads fails: TypeError: 'int' object is not iterable"),
    "hook_midway": (
        plugin("heads") + "@hookimpl\ndef depthub_datasets():\n    yield from ()\n    raise SystemExit('midway')",
        "depthub_datasets fails: SystemExit: midway (odd_hook_midway.py, line",
    ),
    "hook_endless": (HEADER + "import itertools\n@hookimpl\ndef depthub_heads(): return itertools.count()", "gives more than 10000 things"),
    "hook_text": (HEADER + "@hookimpl\ndef depthub_heads(): return 'ITM'", "gives 'I', expected a subclass of Head"),
    "hook_iterator": (
        HEADER + "class Odd:\n    def __iter__(self): return self\n    def __next__(self): raise GeneratorExit\n@hookimpl\n"
        "def depthub_heads(): return Odd()",
        "depthub_heads fails: GeneratorExit",
    ),
    "hook_built_in": (
        HEADER + "from depthub import ITM\n@hookimpl\ndef depthub_heads(): return [ITM]",
        "the name 'ITM' is taken by plugin",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_every_fault_is_one_line_and_everything_else_goes_on(name: str, outcome: Outcome) -> None:
    code, says = ODD[name]
    report = outcome(f"odd_{name}", code)
    assert (report.distribution, report.version, report.provides) == ("odd-dist", "1.5", {})
    assert says in report.faults[0]


def test_an_interruption_from_the_keyboard_is_no_fault(make_distribution: MakeDistribution) -> None:
    make_distribution("odd-dist", {"odd": "odd_interrupt"}, {"odd_interrupt": "raise KeyboardInterrupt"})
    with pytest.raises(KeyboardInterrupt):
        Plugins({})


def test_properties_of_what_is_made_are_no_fault(outcome: Outcome) -> None:
    assert outcome("right_property", plugin("heads", "Thing.lr_scale = property(lambda self: 2.0)\n")).works


# Packages that are damaged.

DAMAGE: dict[str, tuple[Callable[[Path], object], bool]] = {
    "no_metadata": (lambda info: (info / "METADATA").unlink(), True),
    "empty_metadata": (lambda info: (info / "METADATA").write_bytes(b""), True),
    "metadata_no_text": (lambda info: (info / "METADATA").write_bytes(b"\xff\xfe\x00Name: \xff\n"), True),
    "metadata_no_version": (lambda info: (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-dist\n"), True),
    "metadata_folder": (lambda info: ((info / "METADATA").unlink(), (info / "METADATA").mkdir()), True),
    "url_no_json": (lambda info: (info / "direct_url.json").write_text("{"), True),
    "url_no_text": (lambda info: (info / "direct_url.json").write_bytes(b"\xff\xfe"), True),
    "url_list": (lambda info: (info / "direct_url.json").write_text("[1]"), True),
    "url_number": (lambda info: (info / "direct_url.json").write_text("3"), True),
    "url_lacking": (lambda info: (info / "direct_url.json").write_text('{"dir_info": {}}'), True),
    "url_of_number": (lambda info: (info / "direct_url.json").write_text('{"url": 3, "dir_info": {}}'), True),
    "url_strange": (lambda info: (info / "direct_url.json").write_text('{"url": "http://[", "dir_info": {}}'), True),
    "url_with_nul": (lambda info: (info / "direct_url.json").write_text('{"url": "file:///a%00b", "dir_info": {}}'), True),
    "url_vcs_list": (lambda info: (info / "direct_url.json").write_text('{"url": "file:///a", "vcs_info": [1]}'), True),
    "url_vcs_number": (lambda info: (info / "direct_url.json").write_text('{"url": "file:///a", "vcs_info": {"commit_id": 3}}'), True),
    "url_deep": (lambda info: (info / "direct_url.json").write_text("[" * 100_000), True),
    "entry_value": (lambda info: (info / "entry_points.txt").write_text("[depthub]\nodd = not a module!\n"), False),
    "entry_empty": (lambda info: (info / "entry_points.txt").write_text("[depthub]\nodd =\n"), False),
    "entry_attribute": (lambda info: (info / "entry_points.txt").write_text("[depthub]\nodd = right_package:nothing\n"), False),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_package_stops_nothing(name: str, make_distribution: MakeDistribution, capsys: pytest.CaptureFixture[str]) -> None:
    damage, works = DAMAGE[name]
    site = make_distribution("odd_dist", {"odd": "right_package"}, {"right_package": plugin("heads")}, version="1.5")
    damage(site / "odd_dist-1.5.dist-info")
    report = goes_on(capsys)
    assert report.works == works
    assert report.direct_url is None
    assert report.version in ("1.5", "unknown")
    assert set(source(report.distribution).values()) == {None}


@pytest.mark.parametrize("content", [b"[depthub]\nodd\n", b"[depthub\nodd = x\n", b"odd = x\n[depthub]\n", b"\xff\xfe[depthub]\n"])
def test_a_list_of_entry_points_that_cannot_be_read(
    content: bytes, make_distribution: MakeDistribution, capsys: pytest.CaptureFixture[str]
) -> None:
    site = make_distribution("odd_dist", {"odd": "x"}, {}, version="1.5")
    (site / "odd_dist-1.5.dist-info/entry_points.txt").write_bytes(content)
    installed()
    assert main(["plugins"]) == 0
    assert "Traceback" not in capsys.readouterr().err
    for report in installed().reports:
        assert report.works or report.distribution in ("odd_dist", "odd-dist")


def test_of_two_installations_the_first_on_the_path_counts(
    make_distribution: MakeDistribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_distribution("odd-dist", {"odd": "right_twice"}, {"right_twice": plugin("heads")}, version="1.5")
    shutil.copytree(site, tmp_path / "later")
    (tmp_path / "later/odd-dist-1.5.dist-info").rename(tmp_path / "later/odd_dist-1.6.dist-info")
    monkeypatch.setattr("sys.path", [str(site), str(tmp_path / "later"), *__import__("sys").path[1:]])
    assert [report.version for report in Plugins({}).reports if report.name == "odd"] == ["1.5"]


def test_loaded_plugins_are_listed(make_distribution: MakeDistribution) -> None:
    make_distribution("odd-dist", {"odd": "right_told", "broken": "not_there"}, {"right_told": plugin("heads")}, version="1.5")
    loaded = Plugins({}).loaded()
    assert {"name": "odd", "distribution": "odd-dist", "version": "1.5"} in loaded
    assert {"coop", "dept"} <= {one["name"] for one in loaded}
    assert "broken" not in {one["name"] for one in loaded}
