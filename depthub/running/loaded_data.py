"""The data sets of runs: each is loaded, checked and hashed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from depthub.boundary import check_data
from depthub.boundary.owner import within
from depthub.data.dataset import Data, DataSet, Examples, FingerprintMemory
from depthub.data.own.by_name import is_own
from depthub.data.own.own_pictures import OwnPictures
from depthub.data.published import folder_lists
from depthub.data.published.on_disk import OnDisk
from depthub.data.reader import FolderReader
from depthub.data.views import drafted
from depthub.registry.plugins import Plugins
from depthub.running.data_names import data_set_of
from depthub.spec import DataSpec


@dataclass(frozen=True, eq=False)
class LoadedData:
    """A data set of a run.

    Args:
        data_set: it loads the data.
        data: classes and splits.
        digest: SHA-256 of its list of images; empty where the name alone says which images these are.
        name: with the path, for a user's own pictures.
    """

    data_set: DataSet
    data: Data
    digest: str
    name: str

    @property
    def is_builtin(self) -> bool:
        """Whether the code that loads it is the core's own."""
        return type(self.data_set).__module__.startswith("depthub.")

    def places(self, parts: Sequence[Examples], root: Path | None) -> list[Path] | None:
        """The files and folders that a run's images come from; None where the data set does not say.

        Args:
            parts: the images of this data set that the run uses.
            root: folder that holds the data sets.
        """
        if isinstance(self.data_set, OwnPictures):
            return self.data_set.places()
        if not self.digest:
            return []
        if not isinstance(self.data_set, OnDisk):
            return None
        # of a million images a run uses some thousands: their own files, and the files of the list
        images = dict.fromkeys(part.read.root / name for part in parts if isinstance(part.read, FolderReader) for name in part.ids)
        return [*self.data_set.sources(root), *images]


class DataSets:
    """Loads data sets; those that several runs have in common are loaded and hashed once.

    Args:
        root: folder that holds the data sets.
        plugins: that provide data sets.
        cache: whether lists of images are kept on disk, and found there.

    Attributes:
        fingerprints: of the images, as far as they are known.
    """

    def __init__(self, root: Path | None, plugins: Plugins, cache: bool) -> None:
        self.root, self.plugins, self.cache = root, plugins, cache
        self.fingerprints = FingerprintMemory()
        self._loaded: dict[tuple[DataSpec, bool], LoadedData] = {}

    def load(self, spec: DataSpec, *, test_only: bool = False) -> LoadedData:
        """A data set by its spec; `test_only` is that of `data_set_of`.

        Raises:
            DepthubError: for an unknown name, for missing or wrong files, and for data that cannot give a right number.
        """
        key = (spec, test_only)
        if key not in self._loaded:
            self._loaded[key] = self._load(spec, test_only)
        return self._loaded[key]

    def load_beside(self, name: str, spec: DataSpec, source: LoadedData) -> LoadedData:
        """A further data set of a run, for testing only.

        Args:
            name: of the further data set.
            spec: of the run's own data set; its pictures are decoded in the same way.
            source: the run's own data set.

        Raises:
            DepthubError: as `load` does.
        """
        background = spec.background if is_own(name) else ""
        loaded = self.load(DataSpec(name, decoding=spec.decoding, background=background), test_only=True)
        if not isinstance(loaded.data_set, OwnPictures):
            return loaded
        data = _renamed(loaded.data, spec.class_names)
        if isinstance(source.data_set, OwnPictures):
            leaks = loaded.data_set.leaks(source.data_set, source.data.train, data.test)
            data = replace(data, notes=(*data.notes, *leaks))
        check_data(data, name)
        return replace(loaded, data=data)

    def _load(self, spec: DataSpec, test_only: bool) -> LoadedData:
        data_set = data_set_of(spec, self.plugins, test_only=test_only)
        with folder_lists.enabled(self.cache), within("data set", data_set, spec.name):
            data = data_set.load(self.root)
            check_data(data, spec.name, data_set)
            digest = data_set.digest(self.root)
        if spec.decoding == "draft":
            drafted(data.named(spec.name).test, (1, 1))  # refuses images that have no drafts
        if isinstance(data_set, OwnPictures):
            prints = {name: data_set.read.fingerprint_of(sha256) for name, sha256 in data_set.sha256.items()}
            self.fingerprints.add(data_set.read, prints)
        return LoadedData(data_set, data, digest, spec.name)


def _renamed(data: Data, class_names: Mapping[str, str] | Sequence[str]) -> Data:
    """The data with the names that the user gave to classes by folder: they hold for the same folders of another data set."""
    if not isinstance(class_names, Mapping):
        return data
    names = tuple(class_names.get(name, name) for name in data.classes.names)
    return replace(data, classes=replace(data.classes, names=names))
