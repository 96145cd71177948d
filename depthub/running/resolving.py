"""From a spec to a resolved one: settings, data sets, digests, code and stages. No image is decoded and no weight is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from depthub.errors import DepthubError
from depthub.identity.file_digests import file_sha256
from depthub.registry import presets, settings
from depthub.registry.plugins import Plugins, installed
from depthub.running.components import code_of, completed, setting_files
from depthub.running.data_names import absolute, absolute_names, canonical
from depthub.running.loaded_data import DataSets, LoadedData
from depthub.running.resolved import Resolved
from depthub.running.stages import stages_of
from depthub.running.weights import WeightFiles
from depthub.spec import RunSpec, placeless

if TYPE_CHECKING:
    from depthub.protocol import Protocol, Stage


class Resolver:
    """Resolves specs. Data sets, weights and files that several of them have in common are loaded and hashed once.

    Args:
        data_root: folder that holds the data sets.
        plugins: that provide the components.
        download: whether weights that are not on this machine may be downloaded.
        cache: whether lists of images are kept on disk, and found there.
    """

    def __init__(
        self, data_root: Path | None = None, plugins: Plugins | None = None, download: bool = False, *, cache: bool = True
    ) -> None:
        self.plugins = plugins or installed()
        self._data_sets = DataSets(data_root, self.plugins, cache)
        self._weights = WeightFiles(self.plugins, download)
        self._digests: dict[Path, str] = {}

    def __call__(self, spec: RunSpec) -> Resolved:
        """Resolve a spec.

        Raises:
            DepthubError: for unknown names or settings, for files that are missing or not those of the spec, and for data and tasks that
                cannot give a right number.
        """
        full = completed(spec, self.plugins)
        weights = self._weights.sha256(spec.backbone)
        source = self._data_sets.load(absolute(spec.data))
        _require_same("data", spec.data.sha256, source.digest)
        _require_same("backbone", spec.backbone.sha256, weights)
        training = presets.recipe(spec, self.plugins)
        augmentation = source.data_set.augmentation if training.augmentation == "auto" else training.augmentation
        full = replace(
            full,
            protocol=replace(full.protocol, settings=absolute_names(full.protocol.settings)),
            data=canonical(replace(absolute(spec.data), sha256=source.digest), source.data_set),
            backbone=replace(spec.backbone, sha256=weights),
            training=replace(training, augmentation=augmentation),
        )
        protocol: Protocol = settings.make(full.protocol, "protocols", self.plugins)
        stages, sources = stages_of(full, protocol, source, lambda name: self._data_sets.load_beside(name, full.data, source))
        return self._resolved(full, protocol, stages, sources, source)

    def _resolved(
        self, spec: RunSpec, protocol: Protocol, stages: tuple[Stage, ...], sources: Mapping[str, LoadedData], source: LoadedData
    ) -> Resolved:
        digests = {label: loaded.digest for label, loaded in sources.items()}
        others = {label: digest for label, digest in digests.items() if digest and label != placeless(source.name)}
        if spec.other_data and spec.other_data != others:
            raise DepthubError(f"the files of {', '.join(spec.other_data)} are not those of the spec; leave other_data out")
        files = setting_files(spec, self.plugins)
        return Resolved(
            spec=replace(spec, other_data=others),
            protocol=protocol,
            stages=stages,
            data={source.name: source.data, **{label: loaded.data for label, loaded in sources.items()}},
            digests=digests,
            code=code_of(spec, self.plugins, [label for label, loaded in sources.items() if not loaded.is_builtin]),
            files={name: self._file_sha256(path) for name, path in files.items()},
            places=self._places(spec, stages, sources, list(files.values())),
            fingerprints=self._data_sets.fingerprints,
        )

    def _places(
        self, spec: RunSpec, stages: Sequence[Stage], sources: Mapping[str, LoadedData], files: Sequence[Path]
    ) -> tuple[Path, ...] | None:
        """All files and folders that the numbers depend on; None where a data set does not say."""
        parts = [task.examples for stage in stages for task in (stage.train, *stage.tests)]
        places = list[Path]()
        for label, loaded in sources.items():
            of_set = loaded.places([part for part in parts if part.source == label], self._data_sets.root)
            if of_set is None:
                return None
            places += of_set
        return (*places, *self._weights.paths(spec.backbone), *files)

    def _file_sha256(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = file_sha256(path)
        return self._digests[path]


def _require_same(part: str, expected: str, present: str) -> None:
    """Refuse files other than those that a spec names by their digest; an empty digest names none.

    Raises:
        DepthubError: if the digests differ.
    """
    if expected and expected != present:
        raise DepthubError(f"the files of {part} are not those of the spec: sha256 {present[:12] or 'none'}, expected {expected[:12]}")
