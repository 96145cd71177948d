"""All plugins of the environment: loading, faults, and their components by kind and name.

A plugin is a module named in the entry-point group `depthub`; the built-in ones are listed there, too.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import EntryPoint
from itertools import islice
from types import ModuleType
from typing import Any

import pluggy

from depthub.errors import DepthubError, UnknownNameError, hint
from depthub.registry import admission, hookspecs, metrics
from depthub.registry.admission import KINDS, inherits
from depthub.registry.distributions import PluginEntry, normalized, plugin_entries
from depthub.registry.foreign import class_name, derives, described, place
from depthub.registry.hookspecs import GROUP
from depthub.registry.isolation import forget, isolated
from depthub.registry.metrics import BUILT_IN_METRICS, METRICS
from depthub.values.text import plain
from depthub.version import __version__

BUILT_IN = "depthub"  # the distribution of the built-in plugins, which `DEPTHUB_LOAD_PLUGINS` does not leave out
MOST = 10_000  # components from one hook
SINGULAR: Mapping[str, str] = {kind: rules.singular for kind, rules in KINDS.items()} | {METRICS: "metric"}


@dataclass(frozen=True)
class PluginReport:
    """The result of loading one entry point.

    Args:
        name: name of the plugin, that is, of its entry point.
        distribution: name of the distribution, as in `pip list`.
        version: version of the distribution.
        direct_url: source of the installation if not an index (PEP 610).
        provides: names of its components by kind; empty unless the plugin works.
        faults: reasons why it was left out.
        disabled: left out by an environment variable, and not imported.
    """

    name: str
    distribution: str
    version: str
    direct_url: Mapping[str, Any] | None = None
    provides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    disabled: bool = False

    @property
    def works(self) -> bool:
        """Whether its components can be used."""
        return not self.faults and not self.disabled

    def __str__(self) -> str:
        return f"plugin {self.name!r} of {self.distribution} {self.version}"


SESSION = PluginReport("session", "session", "0")  # stands for this process as the provider of what it registers itself
CORE = PluginReport("metrics", BUILT_IN, __version__)  # stands for depthub itself as the provider of its metrics


class Plugins:
    """The plugins of this environment. A plugin with a fault is left out as a whole and reported; the others work.

    Changes that a plugin makes to the process while it is imported or called for a run event are undone.

    Args:
        environ: environment variables: `DEPTHUB_DISABLE_PLUGINS`, `DEPTHUB_LOAD_PLUGINS` and `DEPTHUB_STRICT_PLUGINS`.

    Raises:
        DepthubError: in strict mode, the first fault; or if `DEPTHUB_LOAD_PLUGINS` names a plugin that is not installed.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._provided: dict[str, dict[str, tuple[Any, PluginReport]]] = {kind: {} for kind in SINGULAR}
        self._provided[METRICS] |= {metric.name: (metric, CORE) for metric in BUILT_IN_METRICS}
        self.reports: tuple[PluginReport, ...] = ()
        strict = environ.get("DEPTHUB_STRICT_PLUGINS", "0") not in ("", "0")
        entries = sorted(plugin_entries(), key=_order)
        disabled = _disabled(entries, environ)
        for entry in entries:
            report = self._report(entry, entry in disabled)
            if strict and report.faults:
                raise DepthubError(f"{report}: {report.faults[0]}")
            self.reports += (report,)

    @property
    def left_out(self) -> str:
        """An addition to "unknown name" that lists the plugins left out, a possible reason; empty if all work."""
        names = [report.name for report in self.reports if not report.works]
        return f" (left out: {', '.join(names)}; `depthub plugins` says why)" if names else ""

    def loaded(self) -> list[dict[str, str]]:
        """Name, distribution and version of each plugin that works, in the order of loading; for the record of a run."""
        has_session = any(report is SESSION for named in self._provided.values() for _, report in named.values())
        reports = [*self.reports, SESSION] if has_session else self.reports
        fields = ("name", "distribution", "version")
        return [{field: getattr(report, field) for field in fields} for report in reports if report.works]

    def names(self, kind: str) -> tuple[str, ...]:
        """All names of a kind ("methods", "heads", ..., "metrics"), sorted."""
        return tuple(sorted(self._provided[kind]))

    def all(self, kind: str) -> dict[str, Any]:
        """Everything of a kind, by name.

        Raises:
            DepthubError: as `get`.
        """
        return {name: self.get(kind, name) for name in self.names(kind)}

    def get(self, kind: str, name: str) -> Any:
        """The class (for data sets and backbones: the instance; for metrics: the `Metric`) of that name.

        Raises:
            UnknownNameError: if no working plugin provides it.
        """
        return self._find(kind, name)[0]

    def provider(self, kind: str, name: str) -> PluginReport:
        """The plugin that provides it.

        Raises:
            UnknownNameError: if no working plugin does.
        """
        return self._find(kind, name)[1]

    def is_of_session(self, kind: str, name: str) -> bool:
        """Whether this process registered it: other processes do not have it."""
        return name in self._provided[kind] and self._provided[kind][name][1] is SESSION

    def add(self, kind: str, name: str, thing: Any) -> None:
        """Register a checked component until the end of this process; it replaces one that the process registered earlier.

        Args:
            kind: "methods", "heads", ...
            name: its public name.
            thing: a class, or for data sets and backbones an instance.

        Raises:
            DepthubError: if a plugin provides that name.
        """
        if name in self._provided[kind] and not self.is_of_session(kind, name):
            provider = self.provider(kind, name)
            raise DepthubError(f"the name {name!r} is taken by {provider}: give your {KINDS[kind].singular} another name")
        self._provided[kind][name] = (thing, SESSION)

    def notify(self, event: str, **values: Any) -> None:
        """Call a run event's hook in every plugin that has it, each with its own copies of the values. An error becomes a warning; the run
        goes on."""
        failures, listeners = [], {hook.plugin_name for hook in getattr(self._manager.hook, event).get_hookimpls()}
        for name, report in self._working().items():
            if name not in listeners:
                continue
            try:
                with _faults(f"{report} failed in {event}", self._package(name)), isolated(quiet=False):
                    self._call(event, name, deepcopy(values))
            except _FaultError as fault:
                failures.append(str(fault))
        for failure in failures:
            warnings.warn(failure, RuntimeWarning, stacklevel=2)

    def _find(self, kind: str, name: str) -> tuple[Any, PluginReport]:
        if name not in self._provided[kind]:
            raise UnknownNameError(SINGULAR[kind], name, self._provided[kind], self.left_out)
        return self._provided[kind][name]

    def _working(self) -> dict[str, PluginReport]:
        return {report.name: report for report in self.reports if report.works}

    def _package(self, plugin: str) -> str:
        return str(getattr(self._manager.get_plugin(plugin), "__name__", "")).partition(".")[0]

    def _call(self, hook: str, plugin: str, values: Mapping[str, Any]) -> list[Any]:
        # one plugin at a time: in pluggy an error of one implementation ends the whole call
        others = [module for name, module in self._manager.list_name_plugin() if name != plugin]
        results: list[Any] = self._manager.subset_hook_caller(hook, others)(**values)
        return results

    def _report(self, entry: PluginEntry, disabled: bool) -> PluginReport:
        origin = PluginReport(entry.name, entry.distribution, entry.version, entry.direct_url)
        if disabled:
            return replace(origin, disabled=True)
        if entry.entry is None:
            return replace(origin, faults=(entry.fault,))
        earlier, package = frozenset(sys.modules), _package(entry.entry)
        try:
            return self._load(entry.entry, origin)
        except _FaultError as fault:
            report = replace(origin, faults=fault.args)
        if origin.name not in self._working():  # otherwise another plugin has the name
            with suppress(Exception):  # the plugin may have failed before it was registered
                self._manager.unregister(name=origin.name)
        if package != BUILT_IN and inherits(package):
            forget(package, earlier)
        return report

    def _load(self, entry: EntryPoint, origin: PluginReport) -> PluginReport:
        package = _package(entry)
        with _faults("changes the process in a way that cannot be undone", package), isolated(quiet=True):
            self._register(entry, origin.name, package)
            provided = {kind: self._collect(kind, origin.name, package) for kind in SINGULAR}
        report = replace(origin, provides={kind: tuple(sorted(named)) for kind, named in provided.items() if named})
        for kind, named in provided.items():
            self._provided[kind] |= {name: (thing, report) for name, thing in named.items()}
        return report

    def _register(self, entry: EntryPoint, name: str, package: str) -> None:
        if other := self._working().get(name):
            raise _FaultError(f"the plugin name {name!r} is taken by distribution {other.distribution!r}: rename one or uninstall one")
        with _faults(f"cannot import {plain(entry.value)!r}", package):
            module = entry.load()
        if not derives(type(module), ModuleType):
            raise _FaultError(f"the entry point {plain(entry.value)!r} is a {class_name(type(module))}, expected a module")
        if other_name := self._manager.get_name(module):
            raise _FaultError(f"module {entry.value!r} is already loaded as plugin {other_name!r}")
        with _faults("cannot be registered", package):
            self._manager.register(module, name)
            callers = self._manager.get_hookcallers(module) or []
        # pluggy's own check stops at the first unknown hook and does not name the nearest
        hooks = [hook for hook in vars(hookspecs) if hook.startswith(f"{GROUP}_")]
        unknown = [f"implements an unknown hook {caller.name!r}{hint(caller.name, hooks)}" for caller in callers if not caller.has_spec()]
        if unknown or not callers:
            raise _FaultError(*(unknown or ["implements no hook; is @hookimpl missing?"]))

    def _collect(self, kind: str, plugin: str, package: str) -> dict[str, Any]:
        """A plugin's components of a kind, by name, checked."""
        hook = f"{GROUP}_{kind}"
        implementations = getattr(self._manager.hook, hook).get_hookimpls()
        where = next((place(one.function) for one in implementations if one.plugin_name == plugin), None)
        if where is None:
            return {}
        faults: list[str] = []
        named: dict[str, Any] = {}
        for thing in self._things(hook, plugin, package, where):
            with _faults(f"{hook} gives what cannot be read", package, where):
                name, thing_faults = metrics.admit(thing) if kind == METRICS else admission.admit(thing, KINDS[kind])
            thing_faults += self._name_clashes(kind, name, named) if name else []
            faults += [f"{hook}: {plain(fault)}{where}" for fault in thing_faults]
            named[name] = thing
        if faults:
            raise _FaultError(*faults)
        return named

    def _things(self, hook: str, plugin: str, package: str, where: str) -> list[Any]:
        """The classes, instances or metrics that a plugin's hook returns."""
        with _faults(f"{hook} fails", package):
            results = self._call(hook, plugin, {})
            members = metrics.members if hook == f"{GROUP}_{METRICS}" else islice
            things = [thing for result in results for thing in members(result, MOST + 1)]
        if not results or len(things) > MOST:
            raise _FaultError(f"{hook} gives {f'more than {MOST} things' if results else 'nothing'}, expected a list{where}")
        return things

    def _name_clashes(self, kind: str, name: str, named: Mapping[str, Any]) -> list[str]:
        if name in named:
            return [f"gives {name!r} twice"]
        return [f"the name {name!r} is taken by {self._provided[kind][name][1]}"] if name in self._provided[kind] else []


@cache
def installed() -> Plugins:
    """The plugins of this process, loaded once."""
    return Plugins()


class _FaultError(Exception):
    """The reasons why a plugin is left out, one per argument."""


@contextmanager
def _faults(what: str, package: str, where: str = "") -> Iterator[None]:
    """Turn every error of the block, except Ctrl-C, into a fault of the plugin, in one line."""
    try:
        yield
    except (_FaultError, KeyboardInterrupt):
        raise
    except BaseException as error:
        line = described(error, package)
        raise _FaultError(f"{what}: {line}{'' if line.endswith(')') else where}") from error


def _package(entry: EntryPoint) -> str:
    """The top-level package of a plugin."""
    return entry.value.partition(":")[0].partition(".")[0].strip()


def _is_built_in(entry: PluginEntry) -> bool:
    return normalized(entry.distribution) == BUILT_IN


def _order(entry: PluginEntry) -> tuple[bool, str, str]:
    # the built-in plugins first, so that no other plugin can take a name from them
    return (not _is_built_in(entry), entry.distribution.lower(), entry.name)


def _disabled(entries: list[PluginEntry], environ: Mapping[str, str]) -> list[PluginEntry]:
    """The entries that the environment variables leave out.

    Raises:
        UnknownNameError: if `DEPTHUB_LOAD_PLUGINS` names a plugin that is not installed.
    """
    names = {entry.name for entry in entries}
    disabled = _listed(environ.get("DEPTHUB_DISABLE_PLUGINS", ""))
    allowed = _listed(environ["DEPTHUB_LOAD_PLUGINS"]) if "DEPTHUB_LOAD_PLUGINS" in environ else names
    for name in sorted(allowed - names):
        raise UnknownNameError("plugin in DEPTHUB_LOAD_PLUGINS", name, names)
    # By entry, not by name: a plugin that is left out may have the name of a built-in one.
    return [entry for entry in entries if entry.name in disabled or not (_is_built_in(entry) or entry.name in allowed)]


def _listed(names: str) -> set[str]:
    return {name.strip() for name in names.split(",")} - {""}
