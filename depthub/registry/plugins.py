"""Finds plugins, keeps the broken ones apart, and gives what they provide by name.

A plugin is a module named in the entry-point group `depthub`; built-ins are listed there like everyone else's.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
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
from depthub.registry import hookspecs
from depthub.registry.admission import KINDS, admit, inherits
from depthub.registry.distributions import Found, found, normal
from depthub.registry.foreign import class_name, derives, described, place
from depthub.registry.hookspecs import GROUP
from depthub.registry.isolation import forget, isolated
from depthub.values.text import plain

BUILT_IN = "depthub"  # the distribution whose plugins are always wanted
MOST = 10_000  # things that one hook may give


@dataclass(frozen=True)
class PluginReport:
    """What became of one entry point.

    Args:
        name: of the plugin, that is, of its entry point.
        distribution: what pip calls the package it came with.
        version: of that package.
        direct_url: where pip took the package from if not from an index (PEP 610).
        provides: names by kind; empty unless the plugin works.
        faults: why it was left out.
        disabled: left out by an environment variable, not even imported.
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
        """Whether what it provides can be used."""
        return not self.faults and not self.disabled

    def __str__(self) -> str:
        return f"plugin {self.name!r} of {self.distribution} {self.version}"


SESSION = PluginReport("session", "session", "0")  # stands for this process, where it registers something of its own


class Plugins:
    """The plugins of this environment; one with a fault is left out as a whole and reported, the others work.

    What a plugin changes of the process while it is imported, or called for a run event, is put back.

    Args:
        environ: where `DEPTHUB_DISABLE_PLUGINS`, `DEPTHUB_LOAD_PLUGINS` and `DEPTHUB_STRICT_PLUGINS` are read.

    Raises:
        DepthubError: in strict mode, the first fault; or if `DEPTHUB_LOAD_PLUGINS` names a plugin that is not installed.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._provided: dict[str, dict[str, tuple[Any, PluginReport]]] = {kind: {} for kind in KINDS}
        self.reports: tuple[PluginReport, ...] = ()
        strict = environ.get("DEPTHUB_STRICT_PLUGINS", "0") not in ("", "0")
        entries = sorted(found(), key=_order)
        blocked = _blocked(entries, environ)
        for one in entries:
            report = self._report(one, blocked(one))
            if strict and report.faults:
                raise DepthubError(f"{report}: {report.faults[0]}")
            self.reports += (report,)

    @property
    def left_out(self) -> str:
        """What to say after "unknown name": a plugin that does not work could be why; empty if all do."""
        names = [report.name for report in self.reports if not report.works]
        return f" (left out: {', '.join(names)}; `depthub plugins` says why)" if names else ""

    def loaded(self) -> list[dict[str, str]]:
        """Name, distribution and version of each plugin that works, in the order of loading; for the record of a run."""
        told = ("name", "distribution", "version")
        session = [SESSION] if any(report is SESSION for named in self._provided.values() for _, report in named.values()) else []
        return [{part: getattr(report, part) for part in told} for report in (*self.reports, *session) if report.works]

    def names(self, kind: str) -> tuple[str, ...]:
        """What there is of a kind ("methods", "heads", ...), sorted."""
        return tuple(sorted(self._provided[kind]))

    def get(self, kind: str, name: str) -> Any:
        """The class (for data sets and backbones: the instance) of that name.

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
        """Whether this process registered it itself: no other process has it."""
        return name in self._provided[kind] and self._provided[kind][name][1] is SESSION

    def add(self, kind: str, name: str, thing: Any) -> None:
        """Take a checked thing in for as long as this process lasts, in place of an earlier one that the process registered.

        Args:
            kind: "methods", "heads", ...
            name: its public name.
            thing: a class, or for data sets and backbones an instance.

        Raises:
            DepthubError: if a plugin provides that name.
        """
        if name in self._provided[kind] and not self.is_of_session(kind, name):
            taken = self.provider(kind, name)
            raise DepthubError(f"the name {name!r} is taken by {taken}: give your {KINDS[kind].singular} another name")
        self._provided[kind][name] = (thing, SESSION)

    def notify(self, event: str, **values: Any) -> None:
        """Call a run event's hook in every plugin, each with copies of its own; one that raises costs a warning, never the run."""
        failures = []
        for name, report in self._working().items():
            try:
                with _faults(f"{report} failed in {event}", self._package(name)), isolated(quiet=False):
                    self._call(event, name, deepcopy(values))
            except _FaultError as fault:
                failures.append(str(fault))
        for failure in failures:
            warnings.warn(failure, RuntimeWarning, stacklevel=2)

    def _find(self, kind: str, name: str) -> tuple[Any, PluginReport]:
        if name not in self._provided[kind]:
            raise UnknownNameError(KINDS[kind].singular, name, self._provided[kind], self.left_out)
        return self._provided[kind][name]

    def _working(self) -> dict[str, PluginReport]:
        return {report.name: report for report in self.reports if report.works}

    def _package(self, plugin: str) -> str:
        return str(getattr(self._manager.get_plugin(plugin), "__name__", "")).partition(".")[0]

    def _call(self, hook: str, plugin: str, values: Mapping[str, Any]) -> list[Any]:
        # one plugin at a time: pluggy gives up the whole call when one implementation raises
        others = [module for name, module in self._manager.list_name_plugin() if name != plugin]
        results: list[Any] = self._manager.subset_hook_caller(hook, others)(**values)
        return results

    def _report(self, one: Found, disabled: bool) -> PluginReport:
        origin = PluginReport(one.name, one.distribution, one.version, one.direct_url)
        if disabled:
            return replace(origin, disabled=True)
        if one.entry is None:
            return replace(origin, faults=(one.fault,))
        known, package = frozenset(sys.modules), _package(one.entry)
        try:
            return self._load(one.entry, origin)
        except _FaultError as fault:
            report = replace(origin, faults=fault.args)
        if origin.name not in self._working():  # else the name is another plugin's
            with suppress(Exception):  # it may have come any part of the way
                self._manager.unregister(name=origin.name)
        if package != BUILT_IN and inherits(package):
            forget(package, known)
        return report

    def _load(self, entry: EntryPoint, origin: PluginReport) -> PluginReport:
        package = _package(entry)
        with _faults("changes the process in a way that cannot be undone", package), isolated(quiet=True):
            self._register(entry, origin.name, package)
            provided = {kind: self._collect(kind, origin.name, package) for kind in KINDS}
        report = replace(origin, provides={kind: tuple(sorted(named)) for kind, named in provided.items() if named})
        for kind, named in provided.items():
            self._provided[kind] |= {name: (thing, report) for name, thing in named.items()}
        return report

    def _register(self, entry: EntryPoint, name: str, package: str) -> None:
        if taken := self._working().get(name):
            raise _FaultError(f"the plugin name {name!r} is taken by distribution {taken.distribution!r}: rename one or uninstall one")
        with _faults(f"cannot import {plain(entry.value)!r}", package):
            module = entry.load()
        if not derives(type(module), ModuleType):
            raise _FaultError(f"the entry point {plain(entry.value)!r} is a {class_name(type(module))}, expected a module")
        if known := self._manager.get_name(module):
            raise _FaultError(f"module {entry.value!r} is already loaded as plugin {known!r}")
        with _faults("cannot be registered", package):
            self._manager.register(module, name)
            callers = self._manager.get_hookcallers(module) or []
        # pluggy's own check raises at the first unknown hook and says nothing of the nearest
        hooks = [hook for hook in vars(hookspecs) if hook.startswith(f"{GROUP}_")]
        unknown = [f"implements an unknown hook {c.name!r}{hint(c.name, hooks)}" for c in callers if not c.has_spec()]
        if unknown or not callers:
            raise _FaultError(*(unknown or ["implements no hook; is @hookimpl missing?"]))

    def _collect(self, kind: str, plugin: str, package: str) -> dict[str, Any]:
        """What a plugin provides of a kind, by name, checked."""
        hook = f"{GROUP}_{kind}"
        where = next((place(one.function) for one in getattr(self._manager.hook, hook).get_hookimpls() if one.plugin_name == plugin), None)
        faults: list[str] = []
        named: dict[str, Any] = {}
        for thing in self._given(hook, plugin, package, where) if where is not None else ():
            with _faults(f"{hook} gives what cannot be read", package, where or ""):
                name, own = admit(thing, KINDS[kind])
            own += self._taken(kind, name, named) if name else []
            faults += [f"{hook}: {plain(fault)}{where}" for fault in own]
            named[name] = thing
        if faults:
            raise _FaultError(*faults)
        return named

    def _given(self, hook: str, plugin: str, package: str, where: str) -> list[Any]:
        with _faults(f"{hook} fails", package):
            results = self._call(hook, plugin, {})
            things = [thing for result in results for thing in islice(result, MOST + 1)]
        if not results or len(things) > MOST:
            raise _FaultError(f"{hook} gives {f'more than {MOST} things' if results else 'nothing'}, expected a list{where}")
        return things

    def _taken(self, kind: str, name: str, named: Mapping[str, Any]) -> list[str]:
        if name in named:
            return [f"gives {name!r} twice"]
        return [f"the name {name!r} is taken by {self._provided[kind][name][1]}"] if name in self._provided[kind] else []


@cache
def installed() -> Plugins:
    """The plugins of this process, looked for once."""
    return Plugins()


class _FaultError(Exception):
    """Why a plugin is left out; one argument a fault."""


@contextmanager
def _faults(what: str, package: str, where: str = "") -> Iterator[None]:
    """Whatever the block raises becomes a fault of the plugin, in one line; an interruption from the keyboard passes."""
    try:
        yield
    except (_FaultError, KeyboardInterrupt):
        raise
    except BaseException as error:
        told = described(error, package)
        raise _FaultError(f"{what}: {told}{'' if told.endswith(')') else where}") from error


def _package(entry: EntryPoint) -> str:
    """The outermost name of the modules of a plugin."""
    return entry.value.partition(":")[0].partition(".")[0].strip()


def _is_built_in(one: Found) -> bool:
    return normal(one.distribution) == BUILT_IN


def _order(one: Found) -> tuple[bool, str, str]:
    # built-ins first, so that nobody can take a name from them
    return (not _is_built_in(one), one.distribution.lower(), one.name)


def _blocked(entries: list[Found], environ: Mapping[str, str]) -> Callable[[Found], bool]:
    disabled = _listed(environ.get("DEPTHUB_DISABLE_PLUGINS", ""))
    wanted = _listed(environ["DEPTHUB_LOAD_PLUGINS"]) if "DEPTHUB_LOAD_PLUGINS" in environ else None
    for name in sorted((wanted or set()) - {one.name for one in entries}):
        raise UnknownNameError("plugin in DEPTHUB_LOAD_PLUGINS", name, {one.name for one in entries})
    return lambda one: one.name in disabled or (wanted is not None and not _is_built_in(one) and one.name not in wanted)


def _listed(names: str) -> set[str]:
    return {name.strip() for name in names.split(",")} - {""}
