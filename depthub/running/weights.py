"""The files of frozen models on this machine: where they are, and their digest."""

from __future__ import annotations

from pathlib import Path

from depthub.encoding.loading.sources import find, weights_digest
from depthub.registry.plugins import Plugins
from depthub.spec import BackboneSpec, NamedBackbone


def named_backbones(plugins: Plugins) -> dict[str, NamedBackbone]:
    """The backbones that plugins provide, by name."""
    return plugins.all("backbones")


class WeightFiles:
    """The files of the models that runs use; each model is hashed once.

    Args:
        plugins: that provide backbones.
        download: whether weights that are not on this machine may be downloaded.
    """

    def __init__(self, plugins: Plugins, download: bool = False) -> None:
        self.plugins, self.download = plugins, download
        self._digests: dict[BackboneSpec, str] = {}
        self._paths: dict[BackboneSpec, list[Path]] = {}

    def sha256(self, spec: BackboneSpec) -> str:
        """SHA-256 over all files of a model, see `weights_digest`; empty for open_clip's names and tags."""
        if spec not in self._digests:
            self._digests[spec] = weights_digest(spec, named_backbones(self.plugins), self.download)
        return self._digests[spec]

    def paths(self, spec: BackboneSpec) -> list[Path]:
        """The files of a model that are on this machine: configuration, weights, vocabulary."""
        if spec not in self._paths:
            sources = find(spec, named_backbones(self.plugins))
            self._paths[spec] = [path for path in (sources.config, sources.weights, sources.merges) if path]
        return self._paths[spec]
