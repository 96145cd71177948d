"""A spec's components, which are its method, heads and protocol: all their settings, their code and the files that settings name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from depthub.errors import DepthubError
from depthub.identity.inputs import code_sha256
from depthub.registry import settings
from depthub.registry.plugins import Plugins
from depthub.spec import Component, RunSpec
from depthub.values.annotations import setting_types


def completed(spec: RunSpec, plugins: Plugins) -> RunSpec:
    """The spec with every setting of its components, in the form that equal runs share.

    Raises:
        DepthubError: for an unknown name, an unknown setting or a value that the setting does not take.
    """
    return replace(
        spec,
        method=settings.complete(spec.method, "methods", plugins),
        head=settings.complete(spec.head, "heads", plugins),
        protocol=settings.complete(spec.protocol, "protocols", plugins),
    )


def components(spec: RunSpec) -> Iterator[tuple[str, Component]]:
    """(kind, component) for the method, every head and the protocol: DePT around CAT gives two heads."""
    yield "methods", spec.method
    yield from (("heads", head) for head in _heads(spec.head))
    yield "protocols", spec.protocol


def code_of(spec: RunSpec, plugins: Plugins, data_sets: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """Where the code of a run comes from: distribution, version and SHA-256 of its source, by component ("methods CoOp").

    Args:
        spec: of the run.
        plugins: that provide the components.
        data_sets: names of data sets that plugins of other authors provide.
    """
    parts = [(kind, component.name) for kind, component in components(spec)]
    parts += [("datasets", name) for name in data_sets]
    return {f"{kind} {name}": _origin(kind, name, plugins) for kind, name in parts}


def setting_files(spec: RunSpec, plugins: Plugins) -> dict[str, Path]:
    """The files that settings of type `Path` name, by component and setting: "Listed.file".

    Raises:
        DepthubError: if there is no such file.
    """
    files = {}
    for kind, component in components(spec):
        types = setting_types(plugins.get(kind, component.name))
        for name, value in component.settings.items():
            if isinstance(value, str) and value and settings.is_path(types.get(name)):
                if not Path(value).is_file():
                    raise DepthubError(f"{component.name}: {name} is {value!r}, which is not a file")
                files[f"{component.name}.{name}"] = Path(value)
    return files


def _heads(head: Component) -> list[Component]:
    """A head, and the heads among its settings."""
    return [head, *(inner for value in head.settings.values() if isinstance(value, Component) for inner in _heads(value))]


def _origin(kind: str, name: str, plugins: Plugins) -> dict[str, str]:
    provider, thing = plugins.provider(kind, name), plugins.get(kind, name)
    sha256 = code_sha256(thing if isinstance(thing, type) else type(thing))
    return {"distribution": provider.distribution, "version": provider.version, "sha256": sha256}
