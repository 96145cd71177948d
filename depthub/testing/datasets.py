"""Checks of data sets: lists, digests, pictures."""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from functools import cached_property

from PIL.Image import Image

from depthub.boundary import check_data
from depthub.data.dataset import Data, DataSet, Examples, Fingerprinting
from depthub.errors import DepthubError
from depthub.registry.plugins import installed
from depthub.testing.case import Part
from depthub.testing.contract import SkippedError, contract

SAMPLE = 4  # pictures to read of each split, evenly spread
SPLITS = ("train", "val", "test")


@dataclass(eq=False)
class DataSetCase(Part):
    """A data set, if its files are on this machine."""

    @property
    def data_set(self) -> DataSet:
        """The data set itself."""
        data_set: DataSet = self.make()
        return data_set

    def load(self) -> Data:
        """The loaded data, checked as in a run.

        Raises:
            SkippedError: if it refuses, usually because its files are missing.
        """
        try:
            data = self.data_set.load(self.data_root)
        except DepthubError as error:
            raise SkippedError(f"it cannot be loaded here: {error}") from error
        check_data(data, self.name, self.data_set)
        return data

    @cached_property
    def loaded(self) -> Data:
        """The loaded data, shared by the checks."""
        return self.load()

    def splits(self) -> list[tuple[str, Examples]]:
        """Its splits by name."""
        return [(name, split) for name in SPLITS if (split := getattr(self.loaded, name))]


@contract("loading", "its list loads, twice the same: ids, labels and classes that fit, and other data sets that exist.", "datasets")
def loading(case: DataSetCase) -> None:
    """Few-shot samples are drawn by position, so the order of the images is part of the data set: sort lists of files. `targets` and
    `variants` name data sets of installed plugins.
    """
    first, second = case.loaded, case.load()
    for part in ("classes", "notes", "targets", "variants", "homonyms"):
        assert getattr(first, part) == getattr(second, part), f"{part} are others when it is loaded again"
    for split in SPLITS:
        one, other = (_listed(getattr(data, split)) for data in (first, second))
        assert one == other, f"{split} has other images or labels, or another order, when it is loaded again"
    assert len(first.test), "it has no test images"
    names_here = {*installed().names("datasets"), case.name}
    for kind, names in (("target", first.targets), ("variant", first.variants)):
        lacking = [name for name in names if name not in names_here]
        assert not lacking, f"it declares a {kind} {lacking[0]!r}, which no installed plugin provides"


@contract(
    "digest", "the digest of its contents is the same each time: SHA-256, or empty if name and version determine the contents.", "datasets"
)
def digest(case: DataSetCase) -> None:
    """It identifies finished runs. By default it is computed from classes, ids, labels and pictures. Write a `digest` if that takes too
    long; it must change with the contents.
    """
    _ = case.loaded
    first, second = (case.data_set.digest(case.data_root) for _ in range(2))
    assert isinstance(first, str), f"digest() gives a {type(first).__name__}, expected a text"
    assert not first or re.fullmatch(r"[0-9a-f]{64}", first), f"digest() gives {first[:20]!r}, expected 64 hexadecimal digits in lower case"
    assert first == second, f"digest() gives {first[:12] or 'nothing'} and then {second[:12] or 'nothing'}, though nothing changed"


@contract("pictures", "read gives an RGB picture of every id, each time the same, also in another process.", "datasets")
def pictures(case: DataSetCase) -> None:
    """Worker processes get a copy of `read`: a function of a module, or an object that pickles and is equal to its copies. A `fingerprint`
    differs for pictures with other pixels.
    """
    for split, examples in case.splits():
        copied = pickle.loads(pickle.dumps(examples.read))
        assert copied == examples.read, f"{split}: read is not equal to its copy in a worker; give its class __eq__, or make it a function"
        for name in _spread(examples.ids):
            one, again, other = (_picture(read(name), f"{split}, {name!r}") for read in (examples.read, examples.read, copied))
            assert one == again, f"{split}: image {name!r} is another one when it is read again"
            assert one == other, f"{split}: image {name!r} is another one in another process"
        if isinstance(examples.read, Fingerprinting):
            _check_fingerprints(examples, split)


def _check_fingerprints(examples: Examples, split: str) -> None:
    names = _spread(examples.ids)
    prints = [examples.read.fingerprint(name) for name in names]  # type: ignore[attr-defined]
    assert all(isinstance(mark, str) for mark in prints), f"{split}: fingerprint() gives a {type(prints[0]).__name__}, expected a text"
    assert prints == [examples.read.fingerprint(name) for name in names], f"{split}: fingerprints change from call to call"  # type: ignore[attr-defined]
    pixels = [_picture(examples.read(name), name) for name in names]
    same = len({*zip(prints, pixels, strict=True)}) == len({*prints})
    assert same, f"{split}: two images with other pixels have the same fingerprint"


def _picture(picture: object, where: str) -> tuple[tuple[int, int], bytes]:
    """Size and pixels of a picture, checked to be an RGB image."""
    assert isinstance(picture, Image), f"{where}: read gives a {type(picture).__name__}, expected a picture (PIL.Image.Image)"
    assert picture.mode == "RGB", f"{where}: read gives a picture in mode {picture.mode}, expected RGB: .convert('RGB')"
    return picture.size, picture.tobytes()


def _spread(ids: tuple[str, ...]) -> list[str]:
    """A few ids, evenly spread over a split."""
    return [*dict.fromkeys(ids[len(ids) * i // SAMPLE] for i in range(SAMPLE))] if ids else []


def _listed(examples: Examples | None) -> tuple[tuple[str, ...], tuple[int, ...]] | None:
    return None if examples is None else (examples.ids, examples.labels)
