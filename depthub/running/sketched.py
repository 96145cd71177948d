"""Runs of data sets that are not on this machine, from the cards of these data sets: their sizes can be counted, and nothing can be run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from depthub.data.dataset import Data, Examples
from depthub.data.published.cards import DatasetCard
from depthub.data.published.on_disk import OnDisk
from depthub.errors import DepthubError
from depthub.registry.plugins import Plugins, installed
from depthub.running.data_names import data_set_of
from depthub.running.loaded_data import DataSets, LoadedData
from depthub.running.resolving import Resolver
from depthub.spec import DataSpec
from depthub.types import ClassSet

TRAINING = 32  # images of each class: as many shots as plans are made for, and more


class SketchingDataSets(DataSets):
    """Loads data sets; one that is not on this machine is stood in for by its card.

    Attributes:
        absent: names of the data sets that a card stands in for.
    """

    def __init__(self, root: Path | None, plugins: Plugins) -> None:
        super().__init__(root, plugins, cache=True)
        self.absent: list[str] = []

    def _load(self, spec: DataSpec, test_only: bool) -> LoadedData:
        data_set = data_set_of(spec, self.plugins, test_only=test_only)
        try:
            return super()._load(spec, test_only)
        except DepthubError:
            if not isinstance(data_set, OnDisk):
                raise
        self.absent.append(spec.name)
        return LoadedData(data_set, stand_in(data_set.card), "", spec.name)


class SketchingResolver(Resolver):
    """Resolves specs for plans. A run of a data set that is not on this machine has the sizes of its card, another id, and no images.

    Args:
        data_root: folder that holds the data sets.
        plugins: that provide the components; by default those that are installed.
    """

    def __init__(self, data_root: Path | None = None, plugins: Plugins | None = None) -> None:
        plugins = plugins or installed()
        data_sets = SketchingDataSets(data_root, plugins)
        super().__init__(data_root, plugins, data_sets=data_sets)
        self.absent = data_sets.absent


def stand_in(card: DatasetCard) -> Data:
    """A data set with the classes and the numbers of images of a card; nothing of it can be read.

    Args:
        card: of a published data set; images are divided evenly among the classes of each half.
    """
    number = card.n_classes
    classes = ClassSet(card.space or card.name, tuple(range(number)), tuple(f"{card.name} class {i}" for i in range(number)))
    train = _examples(card.name, "train", [TRAINING] * number)
    return Data(classes, train, _examples(card.name, "test", list(_per_class(card))), targets=card.targets, variants=card.variants)


def _per_class(card: DatasetCard) -> Iterator[int]:
    """Test images of each class."""
    halves = {"test/base": card.n_base, "test/new": card.n_classes - card.n_base}
    parts = halves if card.n_base and all(part in card.counts for part in halves) else {"test": card.n_classes}
    for part, classes in parts.items():
        images = card.counts[part]
        yield from (images // classes + (place < images % classes) for place in range(classes))


def _examples(name: str, split: str, per_class: list[int]) -> Examples:
    pairs = [(label, i) for label, images in enumerate(per_class) for i in range(images)]
    return Examples(tuple(f"{name}/{split}/{label}/{i}" for label, i in pairs), tuple(label for label, _ in pairs), _refuse)


def _refuse(image: str) -> NoReturn:
    raise DepthubError(f"image {image!r} is of a data set that is not on this machine; `depthub data check` says where it is expected")
