"""The rendered data sets: counts, labels, separate splits, and pictures that depend on their id alone."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys

import numpy as np
import pytest
from depthub_shapes import depthub_datasets
from depthub_shapes.attributes import COLOURS, DIGITS, FIGURES
from depthub_shapes.datasets import Digits, Rendered, _scans, kinds

from depthub import Data, DataSet, DepthubError

CLASSES = {
    "compose": 64,
    "compose-v2": 64,
    "compose-sketch": 64,
    "compose-a": 64,
    "compose-r": 64,
    "tones": 24,
    "weaves": 12,
    "tallies": 30,
    "flags": 30,
    "figures": 24,
    "places": 30,
    "swatches": 40,
    "digits": 10,
}
ALL = {data_set.name: data_set for data_set in depthub_datasets()}


def picture(data: Data, name: str) -> bytes:
    image = data.test.read(name)
    assert (image.mode, image.size) == ("RGB", (48, 48))
    return image.tobytes()


def test_the_plugin_offers_every_data_set() -> None:
    assert ALL.keys() == CLASSES.keys()
    assert {data_set.augmentation for data_set in ALL.values()} == {"none"}


@pytest.mark.parametrize("name", CLASSES)
def test_counts_labels_and_splits(name: str) -> None:
    data = ALL[name].load()
    classes, per_class = CLASSES[name], (70, None) if name == "digits" else (32, 24)
    assert len(set(data.classes.names)) == len(data.classes) == classes
    assert data.classes.ids == tuple(range(classes))
    for examples, number in zip((data.train, data.test), per_class, strict=True):
        counts = [examples.labels.count(label) for label in range(classes)]
        assert len(set(examples.ids)) == len(examples) == sum(counts)
        assert number is None or set(counts) == {number}
    assert not set(data.train.ids) & set(data.test.ids)


@pytest.mark.parametrize("name", CLASSES)
def test_a_picture_depends_on_its_id_alone(name: str) -> None:
    data = ALL[name].load()
    some = [*data.test.ids[:3], *data.train.ids[:3]]
    first = {i: picture(data, i) for i in some}
    reader = pickle.loads(pickle.dumps(data.train.read))
    assert {i: reader(i).tobytes() for i in reversed(some)} == first
    assert len(set(first.values())) == len(some)


def test_splits_and_data_seeds_show_different_pictures() -> None:
    one, other = Rendered("figures").load(), Rendered("figures", seed=0).load()
    assert (one.classes, one.train.ids) == (other.classes, other.train.ids)
    pictures = {picture(data, name) for data in (one, other) for name in [*data.train.ids[:64], *data.test.ids[:48]]}
    assert len(pictures) == 2 * (64 + 48)


def test_domain_variants_share_the_classes_of_their_source() -> None:
    source = ALL["compose"].load()
    for name in ("compose-v2", "compose-sketch", "compose-a", "compose-r"):
        data = ALL[name].load()
        assert data.classes == source.classes
        assert picture(data, data.test.ids[0]) != picture(source, data.test.ids[0])


def test_classes_are_shuffled() -> None:
    assert set(ALL["tones"].load().classes.names) == set(COLOURS)
    assert ALL["tones"].load().classes.names != COLOURS
    assert ALL["figures"].load().classes.names != FIGURES


def test_a_class_favours_its_habitat_which_its_name_does_not_show() -> None:
    """Most backgrounds of one class are alike, and two classes mostly have different ones."""

    def corners(data_set: DataSet) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        data = data_set.load()
        medians = []
        for label in range(24):
            names = [i for i, of in zip(data.train.ids, data.train.labels, strict=True) if of == label][:9]
            medians.append(np.median([np.asarray(data.train.read(i), dtype=np.float64)[:3, :3].mean(axis=(0, 1)) for i in names], axis=0))
        return medians

    def spread(data_set: DataSet) -> float:
        return float(np.mean([np.abs(a - b).mean() for a, b in itertools.combinations(corners(data_set), 2)]))

    assert spread(ALL["compose"]) > 1.5 * spread(ALL["compose-a"])


def test_digits_are_the_real_ones() -> None:
    scans, answers = _scans()
    data = Digits().load()
    assert len(data.train) + len(data.test) == len(scans) == 1797
    for name, label in list(zip(data.test.ids, data.test.labels, strict=True))[::97]:
        assert DIGITS[answers[int(name)]] == data.classes.names[label]
        small = np.asarray(data.test.read(name).convert("L").crop((8, 8, 40, 40)).reduce(4), dtype=np.float64)
        ink = 255 - scans[int(name)] * 255 / 16
        assert np.corrcoef(small.ravel(), ink.ravel())[0, 1] > 0.95


def test_without_scikit_learn_digits_name_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    _scans.cache_clear()
    with pytest.raises(DepthubError, match=r"^data set 'digits' needs scikit-learn: pip install 'depthub\[digits\]'$"):
        Digits().load()


def test_offering_and_loading_need_no_torch() -> None:
    code = (
        "import sys, depthub_shapes as s; s.depthub_backbones()\n"
        "for d in s.depthub_datasets():\n    if d.name != 'digits': d.load().test.read('test/0/0')\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_class_name_fits_its_template() -> None:
    for name in kinds():
        classes = ALL[name].load().classes
        assert all(sentence.startswith("a photo of a ") and sentence.endswith(".") for sentence in classes.sentences())
