"""From a spec to a resolved one: settings, data sets, digests, code and stages. No image is decoded and no weight is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from depthub.errors import DepthubError
from depthub.identity.file_digests import file_sha256
from depthub.registry import presets
from depthub.registry.plugins import Plugins, installed
from depthub.running.components import Components
from depthub.running.data_names import absolute, absolute_names, canonical
from depthub.running.loaded_data import DataSets, LoadedData
from depthub.running.resolved import Resolved
from depthub.running.staged import Staged, Stagings
from depthub.running.weights import WeightFiles
from depthub.spec import RunSpec, placeless
from depthub.values.places import absolute_run, changed


class Resolver:
    """Resolves specs. Data sets, weights and files that several of them have in common are loaded and hashed once.

    Args:
        data_root: folder that holds the data sets.
        plugins: that provide the components.
        download: whether weights that are not on this machine may be downloaded.
        cache: whether lists of images are kept on disk, and found there.
        data_sets: loads the data; by default from `data_root`.
    """

    def __init__(
        self,
        data_root: Path | None = None,
        plugins: Plugins | None = None,
        download: bool = False,
        *,
        cache: bool = True,
        data_sets: DataSets | None = None,
    ) -> None:
        self.plugins = plugins or installed()
        self._data_sets = data_sets or DataSets(data_root, self.plugins, cache)
        self._weights = WeightFiles(self.plugins, download)
        self._digests: dict[Path, str] = {}
        self._components = Components(self.plugins)
        self._stagings = Stagings(self._data_sets)

    def __call__(self, spec: RunSpec) -> Resolved:
        """Resolve a spec.

        Raises:
            DepthubError: for unknown names or settings, for files that are missing or not those of the spec, and for data and tasks that
                cannot give a right number.
        """
        full = self._components.completed(spec)
        weights = self._weights.sha256(spec.backbone)
        source = self._data_sets.load(absolute(spec.data))
        _require_same("data", spec.data.sha256, source.digest)
        _require_same("backbone", spec.backbone.sha256, weights)
        training = presets.recipe(spec, self.plugins)
        augmentation = source.data_set.augmentation if training.augmentation == "auto" else training.augmentation
        full = replace(
            full,
            method=replace(full.method, settings=changed(full.method.settings, absolute_run)),
            protocol=replace(full.protocol, settings=absolute_names(full.protocol.settings)),
            data=canonical(replace(absolute(spec.data), sha256=source.digest), source.data_set),
            backbone=replace(spec.backbone, sha256=weights),
            training=replace(training, augmentation=augmentation),
            texts=spec.texts and self._stagings.texts.resolved(spec.texts),
        )
        staged = self._stagings(full, source)
        _require_epochs(full, staged)
        return self._resolved(full, staged, source)

    def _resolved(self, spec: RunSpec, staged: Staged, source: LoadedData) -> Resolved:
        others = {label: digest for label, digest in staged.digests.items() if digest and label != placeless(source.name)}
        if spec.other_data and spec.other_data != others:
            raise DepthubError(f"the files of {', '.join(spec.other_data)} are not those of the spec; leave other_data out")
        files, places = self._components.setting_files(spec), staged.places
        return Resolved(
            spec=replace(spec, other_data=others),
            staged=staged,
            data={source.name: source.data, **{label: loaded.data for label, loaded in staged.sources.items()}},
            code=self._components.code_of(spec, [label for label, loaded in staged.sources.items() if not loaded.is_builtin]),
            files={name: self._file_sha256(path) for name, path in files.items()},
            places=None if places is None else (*places, *self._weights.paths(spec.backbone), *files.values()),
            packages=self._components.packages,
        )

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


def _require_epochs(spec: RunSpec, staged: Staged) -> None:
    """Refuse tests after epochs that the training does not have.

    Args:
        spec: complete.
        staged: what it tests.

    Raises:
        DepthubError: for the first such test task.
    """
    assert spec.training is not None, "the spec is complete"
    number = "steps_per_shot" if spec.training.steps_per_shot else "epochs"
    for stage in staged.stages:
        epochs = spec.training.length(stage.train.examples.labels, spec.shots).epochs
        for task in stage.tests:
            if task.epoch is not None and task.epoch > epochs:
                raise DepthubError(
                    f"{spec.protocol.name} tests {task.name!r} after epoch {task.epoch}, but the training has epochs 1 to "
                    f"{epochs}; name one of these, or raise training.{number}"
                )
