"""A plugin whose data sets each hand over something wrong. Nothing here is installed by itself."""

# ruff: noqa: ANN001, ANN201, ANN202 - as somebody may write it
# mypy: ignore-errors

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from depthub import (
    ClassSet,
    Data,
    DataSet,
    DepthubError,
    Examples,
    hookimpl,
)


class Colours(DataSet):
    """Nothing is wrong with it; the others here change it."""

    name = "colours"
    augmentation = "none"

    def load(self, root: Path | None = None):
        classes = ClassSet("colours", (0, 1), ("red", "blue"))
        train, test = (Examples(tuple(f"{split}/{i}" for i in range(6)), (0, 1) * 3, draw) for split in ("train", "test"))
        return self.changed(Data(classes, train, test))

    def changed(self, data):
        return data

    def digest(self, root: Path | None = None):
        return ""


class ListIds(Colours):
    name = "list_ids"

    def changed(self, data):
        return replace(data, train=replace(data.train, ids=[*data.train.ids]))


class TextLabels(Colours):
    name = "text_labels"

    def changed(self, data):
        return replace(data, test=replace(data.test, labels=tuple(map(str, data.test.labels))))


class ListNames(Colours):
    name = "list_names"

    def changed(self, data):
        return replace(data, classes=replace(data.classes, names=["red", "blue"]))


class NumberNames(Colours):
    name = "number_names"

    def changed(self, data):
        return replace(data, classes=replace(data.classes, names=(1, 2)))


class NoTest(Colours):
    name = "no_test"

    def changed(self, data):
        return replace(data, test=None)


class NoReader(Colours):
    name = "no_reader"

    def changed(self, data):
        return replace(data, test=replace(data.test, read=None))


class Nothing(Colours):
    name = "nothing"

    def changed(self, data):
        return None


class ListIdsByContent(ListIds):
    name = "list_ids_by_content"

    def digest(self, root: Path | None = None):
        return DataSet.digest(self, root)


class Broken(Colours):
    name = "broken"

    def changed(self, data):
        raise OSError("in load")


class Grey(Colours):
    name = "grey"

    def changed(self, data):
        return replace(data, test=replace(data.test, read=draw_grey))


class Arrays(Colours):
    name = "arrays"

    def changed(self, data):
        return replace(data, test=replace(data.test, read=draw_array))


class Refusing(Colours):
    name = "refusing"

    def changed(self, data):
        raise DepthubError("its files are elsewhere")


def draw(name):
    return Image.new("RGB", (40, 36), (40 * int(name[-1]), 0, 0))


def draw_grey(name):
    return draw(name).convert("L") if name == "test/4" else draw(name)


def draw_array(name):
    return np.asarray(draw(name)) if name == "test/5" else draw(name)


def _parts(base):
    return [thing for thing in globals().values() if isinstance(thing, type) and issubclass(thing, base) and thing.__module__ == __name__]


@hookimpl
def depthub_datasets():
    return [cls() for cls in _parts(DataSet)]
