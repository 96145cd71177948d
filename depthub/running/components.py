"""A spec's components, which are its method, heads and protocol: all their settings, their code and the files that settings name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from depthub.errors import DepthubError
from depthub.identity.inputs import code_sha256
from depthub.registry import settings
from depthub.registry.plugins import Plugins
from depthub.spec import Component, RunSpec, digest
from depthub.system.provenance import COMPARED, version
from depthub.values.annotations import setting_types
from depthub.values.places import RUN


class Components:
    """Components of runs: completed, and their code identified, once for all runs that share them.

    Args:
        plugins: that provide them.

    Attributes:
        packages: versions of the packages that compute numbers.
    """

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins
        self.packages = {name: present for name in COMPARED if (present := version(name))}
        self._completed: dict[tuple[str, str], Component] = {}
        self._origins: dict[tuple[str, str], dict[str, str]] = {}

    def completed(self, spec: RunSpec) -> RunSpec:
        """The spec with every setting of its components, in the form that equal runs share.

        Raises:
            DepthubError: for an unknown name, an unknown setting or a value that the setting does not take.
        """
        return replace(
            spec,
            sample=None if spec.sample == spec.seed else spec.sample,
            method=self._complete("methods", spec.method),
            head=self._complete("heads", spec.head),
            protocol=self._complete("protocols", spec.protocol),
        )

    def code_of(self, spec: RunSpec, data_sets: Iterable[str] = ()) -> dict[str, dict[str, str]]:
        """Where the code of a run comes from: distribution, version and SHA-256 of its source, by component ("methods CoOp").

        Args:
            spec: of the run.
            data_sets: names of data sets that plugins of other authors provide.
        """
        parts = [(kind, component.name) for kind, component in components(spec)]
        parts += [("datasets", name) for name in data_sets]
        return {f"{kind} {name}": self._origin(kind, name) for kind, name in parts}

    def setting_files(self, spec: RunSpec) -> dict[str, Path]:
        """The files that settings of type `Path` name, and the documents of finished runs, by component and setting: "Listed.file".

        Raises:
            DepthubError: if there is no such file.
        """
        files = {}
        for kind, component in components(spec):
            cls = self.plugins.get(kind, component.name)
            types = setting_types(cls)
            for name, value in component.settings.items():
                if isinstance(value, str) and value and settings.is_path(types.get(name)):
                    if not Path(value).is_file():
                        raise DepthubError(f"{component.name}: {name} is {value!r}, which is not a file")
                    files[f"{component.name}.{name}"] = Path(value)
                if value and name in getattr(cls, "runs", ()):
                    files[f"{component.name}.{name}"] = finished_run(f"{component.name}: {name}", value)
        return files

    def _complete(self, kind: str, component: Component) -> Component:
        # by type as well as by value: 1 and True are equal, and only one of them may be the setting's
        key = (kind, repr(component))
        if key not in self._completed:
            self._completed[key] = settings.complete(component, kind, self.plugins)
        return self._completed[key]

    def _origin(self, kind: str, name: str) -> dict[str, str]:
        if (kind, name) not in self._origins:
            provider, thing = self.plugins.provider(kind, name), self.plugins.get(kind, name)
            sha256 = code_sha256(thing if isinstance(thing, type) else type(thing))
            self._origins[kind, name] = {"distribution": provider.distribution, "version": provider.version, "sha256": sha256}
        return self._origins[kind, name]


def finished_run(owner: str, value: str) -> Path:
    """The document of a finished run that a setting names.

    Raises:
        DepthubError: if there is none.
    """
    path = Path(value.removeprefix(RUN)) / "run.json"
    if not value.startswith(RUN) or not path.is_file() or len(path.parent.name) != len(digest("")):
        raise DepthubError(f"{owner} is {value!r}, which is not the folder of a finished run; expected {RUN}RUNS/RUN_ID")
    return path


def components(spec: RunSpec) -> Iterator[tuple[str, Component]]:
    """(kind, component) for the method, every head and the protocol: DePT around CAT gives two heads."""
    yield "methods", spec.method
    yield from (("heads", head) for head in _heads(spec.head))
    yield "protocols", spec.protocol


def _heads(head: Component) -> list[Component]:
    """A head, and the heads among its settings."""
    return [head, *(inner for value in head.settings.values() if isinstance(value, Component) for inner in _heads(value))]
