"""Finds plugins, keeps the broken ones apart, and gives what they provide by name.

A plugin is a module named in the entry-point group `depthub`; built-ins are listed there like everyone else's.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from depthub import hookspecs
from depthub.errors import DepthubError, UnknownNameError, hint
from depthub.hookspecs import GROUP

BUILT_IN = "depthub"  # the distribution whose plugins are always wanted
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Kind:
    """One kind of thing that plugins provide, under the hook `depthub_<kind>`.

    Args:
        singular: what a message calls it.
        base: the type in `depthub` that each must have.
        leading: arguments that its constructor takes before the settings; None if plugins give instances, not classes.
    """

    singular: str
    base: str
    leading: tuple[str, ...] | None


KINDS: Mapping[str, Kind] = {
    "methods": Kind("method", "Method", ("backbone", "classes")),
    "heads": Kind("head", "Head", ("dim", "classes")),
    "protocols": Kind("protocol", "Protocol", ()),
    "datasets": Kind("data set", "DataSet", None),
    "backbones": Kind("backbone", "NamedBackbone", None),
    "executors": Kind("executor", "Executor", ()),
}


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


class Plugins:
    """The plugins of this environment; one with a fault is left out as a whole and reported, the others work.

    Args:
        environ: where `DEPTHUB_DISABLE_PLUGINS`, `DEPTHUB_LOAD_PLUGINS` and `DEPTHUB_STRICT_PLUGINS` are read.

    Raises:
        DepthubError: in strict mode, the first fault; or if `DEPTHUB_LOAD_PLUGINS` names a plugin that is not installed.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self.hook = self._manager.hook  # pluggy's callers; `notify` is the safe way to call a run event
        self._provided: dict[str, dict[str, tuple[Any, PluginReport]]] = {kind: {} for kind in KINDS}
        self.reports: tuple[PluginReport, ...] = ()
        strict = environ.get("DEPTHUB_STRICT_PLUGINS", "0") not in ("", "0")
        found = sorted(((entry, _origin(entry)) for entry in entry_points(group=GROUP)), key=lambda pair: _order(pair[1]))
        blocked = _blocked([report for _, report in found], environ)
        for entry, origin in found:
            report = replace(origin, disabled=True) if blocked(origin) else self._load(entry, origin)
            if strict and report.faults:
                raise DepthubError(f"{report}: {report.faults[0]}")
            self.reports += (report,)

    @property
    def left_out(self) -> str:
        """What to say after "unknown name": a plugin that does not work could be why; empty if all do."""
        names = [report.name for report in self.reports if not report.works]
        return f" (left out: {', '.join(names)}; `depthub plugins` says why)" if names else ""

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

    def notify(self, event: str, **values: Any) -> None:
        """Call a run event's hook in every plugin; one that raises costs a warning, never the run."""
        failures = []
        for report in self.reports:
            if report.works:
                try:
                    self._call(event, report.name, values)
                except (Exception, SystemExit) as error:
                    failures.append(f"{report} failed in {event}: {_describe(error)}")
        for failure in failures:
            warnings.warn(failure, RuntimeWarning, stacklevel=2)

    def _find(self, kind: str, name: str) -> tuple[Any, PluginReport]:
        if name not in self._provided[kind]:
            raise UnknownNameError(KINDS[kind].singular, name, self._provided[kind], self.left_out)
        return self._provided[kind][name]

    def _call(self, hook: str, plugin: str, values: Mapping[str, Any]) -> list[Any]:
        # one plugin at a time: pluggy gives up the whole call when one implementation raises
        others = [module for name, module in self._manager.list_name_plugin() if name != plugin]
        results: list[Any] = self._manager.subset_hook_caller(hook, others)(**values)
        return results

    def _load(self, entry: EntryPoint, origin: PluginReport) -> PluginReport:
        try:
            self._register(entry)
            try:
                found = {kind: self._collect(kind, entry.name) for kind in KINDS}
            except _FaultError:
                self._manager.unregister(name=entry.name)
                raise
        except _FaultError as fault:
            return replace(origin, faults=fault.args)
        report = replace(origin, provides={kind: tuple(sorted(named)) for kind, named in found.items() if named})
        for kind, named in found.items():
            self._provided[kind] |= {name: (thing, report) for name, thing in named.items()}
        return report

    def _register(self, entry: EntryPoint) -> None:
        for report in self.reports:
            if report.works and report.name == entry.name:
                raise _FaultError(
                    f"the plugin name {entry.name!r} is taken by distribution {report.distribution!r}: rename one or uninstall one"
                )
        try:
            module = entry.load()
        except (Exception, SystemExit) as error:
            raise _FaultError(f"cannot import {entry.value!r}: {_describe(error)}") from error
        if not inspect.ismodule(module):
            raise _FaultError(f"the entry point {entry.value!r} is a {type(module).__name__}, expected a module")
        if known := self._manager.get_name(module):
            raise _FaultError(f"module {module.__name__!r} is already loaded as plugin {known!r}")
        try:
            self._manager.register(module, entry.name)
        except pluggy.PluginValidationError as error:
            raise _FaultError(" ".join(str(error).split())) from error
        callers = self._manager.get_hookcallers(module) or []
        # pluggy's own check raises at the first unknown hook and says nothing of the nearest
        hooks = [name for name in vars(hookspecs) if name.startswith(f"{GROUP}_")]
        unknown = [f"implements an unknown hook {c.name!r}{hint(c.name, hooks)}" for c in callers if not c.has_spec()]
        if unknown or not callers:
            self._manager.unregister(module)
            raise _FaultError(*(unknown or ["implements no hook; is @hookimpl missing?"]))

    def _collect(self, kind: str, plugin: str) -> dict[str, Any]:
        """What a plugin provides of a kind, by name, checked."""
        hook = f"{GROUP}_{kind}"
        try:
            things = [thing for result in self._call(hook, plugin, {}) for thing in result]
        except (Exception, SystemExit) as error:
            raise _FaultError(f"{hook} fails: {_describe(error)}") from error
        faults = [f"{hook}: {fault}" for thing in things for fault in _faults(thing, KINDS[kind])]
        named: dict[str, Any] = {}
        for thing in things if not faults else ():
            name = _name(thing)
            if name in named:
                faults.append(f"{hook}: gives {name!r} twice")
            elif name in self._provided[kind]:
                faults.append(f"{hook}: the name {name!r} is taken by {self._provided[kind][name][1]}")
            named[name] = thing
        if faults:
            raise _FaultError(*faults)
        return named


@cache
def installed() -> Plugins:
    """The plugins of this process, looked for once."""
    return Plugins()


class _FaultError(Exception):
    """Why a plugin is left out; one argument a fault."""


def _origin(entry: EntryPoint) -> PluginReport:
    distribution = entry.dist
    if distribution is None:  # only for entry points made by hand
        return PluginReport(entry.name, "unknown", "unknown")
    url = distribution.read_text("direct_url.json")
    return PluginReport(entry.name, distribution.name, distribution.version, json.loads(url) if url else None)


def _is_built_in(report: PluginReport) -> bool:
    return re.sub(r"[-_.]+", "-", report.distribution).lower() == BUILT_IN


def _order(report: PluginReport) -> tuple[bool, str, str]:
    # built-ins first, so that nobody can take a name from them
    return (not _is_built_in(report), report.distribution.lower(), report.name)


def _blocked(found: list[PluginReport], environ: Mapping[str, str]) -> Callable[[PluginReport], bool]:
    disabled = _listed(environ.get("DEPTHUB_DISABLE_PLUGINS", ""))
    wanted = _listed(environ["DEPTHUB_LOAD_PLUGINS"]) if "DEPTHUB_LOAD_PLUGINS" in environ else None
    for name in sorted((wanted or set()) - {report.name for report in found}):
        raise UnknownNameError("plugin in DEPTHUB_LOAD_PLUGINS", name, {report.name for report in found})
    return lambda report: report.name in disabled or (wanted is not None and not _is_built_in(report) and report.name not in wanted)


def _listed(names: str) -> set[str]:
    return {name.strip() for name in names.split(",")} - {""}


def _name(thing: Any) -> str:
    return str(thing.__name__ if inspect.isclass(thing) else thing.name)


def _faults(thing: Any, kind: Kind) -> Iterator[str]:
    base = getattr(import_module("depthub"), kind.base)
    if kind.leading is None:
        if not isinstance(thing, base):
            yield f"gives {thing!r}, expected an instance of {kind.base}"
        elif not (isinstance(name := getattr(thing, "name", None), str) and NAME.fullmatch(name)):
            yield f"gives a {kind.singular} with name {name!r}, expected letters, digits, '_', '-' and '.'"
    elif not (inspect.isclass(thing) and issubclass(thing, base)):
        yield f"gives {thing!r}, expected a subclass of {kind.base}"
    elif inspect.isabstract(thing):
        yield f"gives {thing.__name__}, which is abstract: it lacks {', '.join(sorted(getattr(thing, '__abstractmethods__', ())))}"
    else:
        yield from _constructor_faults(thing, kind.leading)


def _constructor_faults(cls: type, leading: tuple[str, ...]) -> Iterator[str]:
    """A class is made as `cls(*leading, **settings)`; its settings become command-line options, hence need types and defaults."""
    parameters = list(inspect.signature(cls).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if sum(p.kind in positional for p in parameters[: len(leading)]) < len(leading):
        yield f"{cls.__name__}'s constructor takes {inspect.signature(cls)}, expected ({', '.join(leading)}, *, settings)"
        return
    for setting in parameters[len(leading) :]:
        if setting.kind is not inspect.Parameter.KEYWORD_ONLY:
            yield f"{cls.__name__}'s setting {str(setting).split(':')[0]!r} is not keyword-only"
        elif setting.default is setting.empty or setting.annotation is setting.empty:
            yield f"{cls.__name__}'s setting {setting.name!r} lacks a {'type' if setting.annotation is setting.empty else 'default'}"


def _describe(error: BaseException) -> str:
    """The error in one line, with the place it came from."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__ and "importlib" not in f.filename]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames and not isinstance(error, SyntaxError) else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ") + place
