"""Plugins as distributions on disk: working ones load, broken ones are left out and reported."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import entry_points

import pytest

from depthub import DepthubError
from depthub.errors import UnknownNameError
from depthub.registry.plugins import KINDS, PluginReport, Plugins
from tests.conftest import MakeDistribution

EXECUTOR = """
from depthub import Executor, hookimpl
class {name}(Executor):
    def __init__(self, *, workers: int = 1) -> None: ...
    def map(self, do, specs): return iter(())
@hookimpl
def depthub_executors(): return [{name}]
"""


@dataclass(frozen=True)
class Case:
    """A plugin with one fault, and the expected text of its report."""

    name: str
    source: str
    says: str


HOOK = "from depthub import {base}, hookimpl\n@hookimpl\ndef depthub_{kind}(): "
CASES = [
    Case("import_error", "import no_such_module", "ModuleNotFoundError: No module named 'no_such_module' (bad_import_error.py, line 2)"),
    Case("syntax_error", "def broken(:", "SyntaxError"),
    Case("system_exit", "raise SystemExit(3)", "SystemExit: 3"),
    Case("no_hook", "def depthub_methods(): return []", "implements no hook; is @hookimpl missing?"),
    Case("unknown_hook", "from depthub import hookimpl\n@hookimpl\ndef depthub_metods(): return []", "did you mean 'depthub_methods'?"),
    Case("hook_argument", "from depthub import hookimpl\n@hookimpl\ndef depthub_run_finished(outcome): ...", "outcome"),
    Case("not_iterable", HOOK.format(base="Head", kind="heads") + "return 3", "depthub_heads fails: TypeError"),
    Case(
        "raises",
        HOOK.format(base="Head", kind="heads") + "raise OSError('no disk')",
        "depthub_heads fails: OSError: no disk (bad_raises.py",
    ),
    Case("wrong_type", HOOK.format(base="Head", kind="heads") + "return [int]", "gives <class 'int'>, expected a subclass of Head"),
    Case("instance", HOOK.format(base="Executor", kind="executors") + "return [3]", "gives 3, expected a subclass of Executor"),
    Case("class_of_data", HOOK.format(base="DataSet", kind="datasets") + "return [DataSet]", "expected an instance of DataSet"),
    Case("nameless", HOOK.format(base="NamedBackbone", kind="backbones") + "return [NamedBackbone('a b', 'x')]", "with name 'a b'"),
    Case("abstract", HOOK.format(base="Executor", kind="executors") + "return [Executor]", "Executor, which is abstract: it lacks map"),
    Case("twice", EXECUTOR.format(name="Cluster").replace("[Cluster]", "[Cluster, Cluster]"), "gives 'Cluster' twice"),
    Case("taken_class", EXECUTOR.format(name="Local"), "the name 'Local' is taken by plugin 'executors' of depthub"),
    Case("positional", EXECUTOR.format(name="Grid").replace("*, workers", "workers"), "Grid's setting 'workers' is not keyword-only"),
    Case("untyped", EXECUTOR.format(name="Grid").replace("workers: int = 1", "workers=1"), "Grid's setting 'workers' lacks a type"),
    Case("no_default", EXECUTOR.format(name="Grid").replace("int = 1", "int"), "Grid's setting 'workers' lacks a default"),
    Case(
        "open_ended", EXECUTOR.format(name="Grid").replace("*, workers: int = 1", "**more"), "Grid's setting '**more' is not keyword-only"
    ),
]


def report_of(plugins: Plugins, name: str) -> PluginReport:
    return next(report for report in plugins.reports if report.name == name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_is_named_and_costs_nobody_else_anything(case: Case, make_distribution: MakeDistribution) -> None:
    make_distribution("bad-dist", {"bad": f"bad_{case.name}"}, {f"bad_{case.name}": case.source})
    make_distribution("zz-good", {"good": f"good_{case.name}"}, {f"good_{case.name}": EXECUTOR.format(name="Good")}, version="2.5")
    plugins = Plugins({})
    bad = report_of(plugins, "bad")
    assert (bad.distribution, bad.version, bad.works, bad.provides) == ("bad-dist", "1.0", False, {})
    assert case.says in bad.faults[0]
    assert "\n" not in bad.faults[0]
    assert plugins.provider("executors", "Good") == PluginReport("good", "zz-good", "2.5", provides={"executors": ("Good",)})
    assert {"Good", "Local"} <= set(plugins.names("executors"))
    with pytest.raises(DepthubError, match=r"^plugin 'bad' of bad-dist 1\.0: "):
        Plugins({"DEPTHUB_STRICT_PLUGINS": "1", "DEPTHUB_LOAD_PLUGINS": "bad"})


def test_a_missing_module_is_a_fault(make_distribution: MakeDistribution) -> None:
    make_distribution("bad-dist", {"bad": "never_written"}, {})
    assert report_of(Plugins({}), "bad").faults == ("cannot import 'never_written': ModuleNotFoundError: No module named 'never_written'",)


def test_an_entry_point_names_a_module_and_no_module_twice(make_distribution: MakeDistribution) -> None:
    source = EXECUTOR.format(name="Once")
    make_distribution("bad-dist", {"a": "once", "b": "once", "c": "once:Once"}, {"once": source})
    plugins = Plugins({})
    assert report_of(plugins, "a").works
    assert report_of(plugins, "b").faults == ("module 'once' is already loaded as plugin 'a'",)
    assert "expected a module" in report_of(plugins, "c").faults[0]


def test_a_taken_plugin_name_names_both_distributions(make_distribution: MakeDistribution) -> None:
    make_distribution("first", {"same": "first_mod"}, {"first_mod": EXECUTOR.format(name="First")})
    make_distribution("second", {"same": "second_mod"}, {"second_mod": EXECUTOR.format(name="Second")})
    make_distribution("third", {"coop": "third_mod"}, {"third_mod": EXECUTOR.format(name="Third")})
    plugins = Plugins({})
    faults = {report.distribution: report.faults for report in plugins.reports}
    assert faults["first"] == ()
    assert "the plugin name 'same' is taken by distribution 'first'" in faults["second"][0]
    assert "the plugin name 'coop' is taken by distribution 'depthub'" in faults["third"][0]
    assert "second_mod" not in sys.modules


def test_a_taken_class_name_leaves_the_whole_plugin_out(make_distribution: MakeDistribution) -> None:
    make_distribution("first", {"one": "one_mod"}, {"one_mod": EXECUTOR.format(name="Shared")})
    source = EXECUTOR.format(name="Shared") + "class Own(Shared): ...\n@hookimpl\ndef depthub_executors(): return [Own, Shared]\n"
    make_distribution("second", {"two": "two_mod"}, {"two_mod": source})
    plugins = Plugins({})
    assert report_of(plugins, "two").faults == (
        "depthub_executors: the name 'Shared' is taken by plugin 'one' of first 1.0 (two_mod.py, line 10)",
    )
    assert "Own" not in plugins.names("executors")
    assert plugins.get("executors", "Shared").__module__ == "one_mod"


def test_disabled_plugins_are_not_imported(make_distribution: MakeDistribution) -> None:
    make_distribution("off", {"off": "off_mod"}, {"off_mod": EXECUTOR.format(name="Off")})
    plugins = Plugins({"DEPTHUB_DISABLE_PLUGINS": " off , executors", "DEPTHUB_STRICT_PLUGINS": "0"})
    assert report_of(plugins, "off").disabled
    assert report_of(plugins, "executors").disabled
    assert "off_mod" not in sys.modules
    assert "Local" not in plugins.names("executors")
    with pytest.raises(UnknownNameError, match=r"unknown executor 'Of'.*left out: .*off.*`depthub plugins` says why"):
        plugins.get("executors", "Of")


def test_an_allow_list_keeps_built_ins(make_distribution: MakeDistribution) -> None:
    make_distribution(
        "thirds", {"kept": "kept_mod", "dropped": "dropped_mod"}, {m: EXECUTOR.format(name=m) for m in ("kept_mod", "dropped_mod")}
    )
    names = Plugins({"DEPTHUB_LOAD_PLUGINS": "kept"}).names("executors")
    assert {"Local", "kept_mod"} <= set(names)
    assert "dropped_mod" not in names
    assert all(r.distribution == "depthub" or r.disabled for r in Plugins({"DEPTHUB_LOAD_PLUGINS": ""}).reports)
    with pytest.raises(UnknownNameError, match="unknown plugin in DEPTHUB_LOAD_PLUGINS 'kep'; did you mean 'kept'"):
        Plugins({"DEPTHUB_LOAD_PLUGINS": "kep"})


def test_a_built_in_stays_when_a_plugin_of_its_name_is_left_out(make_distribution: MakeDistribution) -> None:
    make_distribution("third", {"executors": "third_mod"}, {"third_mod": EXECUTOR.format(name="Third")})
    plugins = Plugins({"DEPTHUB_LOAD_PLUGINS": ""})
    assert {report.distribution: report.disabled for report in plugins.reports if report.name == "executors"} == {
        "depthub": False,
        "third": True,
    }
    assert plugins.names("executors") == ("Local", "Ray", "Slurm")


def test_order_is_built_ins_then_distribution_then_name(make_distribution: MakeDistribution) -> None:
    make_distribution("Beta", {"b": "beta_b", "a": "beta_a"}, {})
    make_distribution("alpha", {"z": "alpha_z"}, {})
    order = [(r.distribution, r.name) for r in Plugins({}).reports]
    built_in = [pair for pair in order if pair[0] == "depthub"]
    assert order[: len(built_in)] == sorted(built_in)
    assert [pair for pair in order if pair[0] in ("Beta", "alpha")] == [("alpha", "z"), ("Beta", "a"), ("Beta", "b")]


def test_a_failing_run_event_warns_and_the_others_are_called(make_distribution: MakeDistribution) -> None:
    hook = "from depthub import hookimpl\nheard = []\n@hookimpl\ndef depthub_run_finished(result):\n    "
    make_distribution("ears", {"a": "ear_a", "b": "ear_b", "c": "ear_c"}, {
        "ear_a": hook + "heard.append(result)", "ear_b": hook + "raise SystemExit('deaf')", "ear_c": hook + "heard.append(result)",
    })  # fmt: skip
    plugins = Plugins({})
    with pytest.warns(RuntimeWarning, match=r"plugin 'b' of ears 1\.0 failed in depthub_run_finished: SystemExit: deaf \(ear_b\.py"):
        plugins.notify("depthub_run_finished", result="done")
    assert sys.modules["ear_a"].heard == sys.modules["ear_c"].heard == ["done"]


def test_where_a_package_came_from_is_kept(make_distribution: MakeDistribution) -> None:
    make_distribution("local", {"local": "local_mod"}, {"local_mod": EXECUTOR.format(name="Near")}, direct_url='{"url": "file:///x"}')
    assert Plugins({}).provider("executors", "Near").direct_url == {"url": "file:///x"}


def test_every_built_in_works() -> None:
    reports = [report for report in Plugins({"DEPTHUB_LOAD_PLUGINS": ""}).reports if not report.disabled]
    assert {report.name for report in reports} == {e.name for e in entry_points(group="depthub") if e.dist and e.dist.name == "depthub"}
    assert {report.name: report.faults for report in reports if report.faults} == {}


def test_a_separately_installed_third_party_plugin() -> None:
    pytest.importorskip("depthub_third_party", reason="pip install -e tests/third_party")
    report = report_of(Plugins({}), "third_party")
    assert report.provides == {
        "methods": ("VisualPrompts",),
        "heads": ("Prototypes",),
        "protocols": ("AllClasses",),
        "datasets": ("squares",),
    }
    assert set(report.provides) <= set(KINDS)
