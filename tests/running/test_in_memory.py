"""Data sets in memory: unchanged pixels, identity by contents, and wrong data refused in one line."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import depthub
from depthub import Component, DataSet, DepthubError, RunSpec, Training, data_in_memory
from depthub.registry.plugins import installed
from depthub.running.runner import run_many
from tests.models import write_backbone

NAMES = ("red", "green", "blue")
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 24, 3), dtype=np.uint8)
LABELS = [0, 1, 2] * 4


@pytest.fixture(autouse=True)
def _session() -> Iterator[None]:
    yield
    installed.cache_clear()


def mine(images: Any = PIXELS, labels: Any = None, **changes: Any) -> DataSet:
    """A data set in memory.

    Args:
        images: for training.
        labels: of these images; by default those of `PIXELS`.
        changes: other arguments of `data_in_memory`.
    """
    arguments = {"train": (images, LABELS if labels is None else labels), "test": (PIXELS[::-1].copy(), LABELS), "class_names": NAMES}
    return data_in_memory("mine", **{**arguments, **changes})


FORMS = {
    "channels_first": PIXELS.transpose(0, 3, 1, 2),
    "tensor": torch.from_numpy(PIXELS),
    "tensor_channels_first": torch.from_numpy(PIXELS).permute(0, 3, 1, 2),
    "float": PIXELS / 255,
    "float32": (PIXELS / 255).astype(np.float32),
    "float_tensor": (torch.from_numpy(PIXELS).permute(0, 3, 1, 2) / 255).requires_grad_(),
    "pictures": [Image.fromarray(pixels) for pixels in PIXELS],
    "transparent": [Image.fromarray(pixels).convert("RGBA") for pixels in PIXELS],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("labels", [LABELS, [NAMES[i] for i in LABELS], np.array(LABELS), torch.tensor(LABELS), np.array(NAMES)[LABELS]])
def test_every_form_gives_the_same_pixels_and_identity(form: str, labels: Any) -> None:
    data_set = mine(FORMS[form], labels)
    train = data_set.load().train
    assert train.labels == tuple(LABELS)
    assert [np.asarray(train.read(name)).tolist() for name in train.ids] == PIXELS.tolist()
    assert data_set.digest() == mine().digest()


def test_a_picture_may_have_its_own_size_and_mode() -> None:
    pictures = [Image.new("L", (8, 9), 40), Image.new("I;16", (7, 7), 65535), Image.new("RGB", (30, 10), (1, 2, 3))]
    train = mine(pictures, [0, 1, 2]).load().train
    assert [train.read(name).size for name in train.ids] == [(8, 9), (7, 7), (30, 10)]
    assert [train.read(name).getpixel((0, 0)) for name in train.ids] == [(40, 40, 40), (255, 255, 255), (1, 2, 3)]


def test_later_changes_have_no_effect() -> None:
    images = PIXELS.copy()
    data_set = mine(images)
    before = data_set.digest()
    images[:] = 0
    assert data_set.digest() == before == mine().digest()
    assert np.asarray(data_set.load().train.read("train/3")).tolist() == PIXELS[3].tolist()


def test_a_notebook_shows_a_summary() -> None:
    assert repr(mine()) == "<data set 'mine': 3 classes, 12 training and 12 test images>"


def test_other_contents_are_another_data_set() -> None:
    changed = PIXELS.copy()
    changed[3, 0, 0, 0] ^= 1
    others = [
        mine(changed),
        mine(labels=[1, 1, 2, *LABELS[3:]]),
        mine(class_names=("red", "green", "cyan")),
        mine(template="a colour called {}."),
        mine(val=(PIXELS, LABELS)),
        mine(train=None),
    ]
    assert len({mine().digest(), *(other.digest() for other in others)}) == 7


def test_a_reader_travels_to_workers() -> None:
    train = mine().load().train
    again = pickle.loads(pickle.dumps(train))
    assert again == train
    assert again.read.fingerprint("train/2") == train.read.fingerprint("train/2")  # type: ignore[attr-defined]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "gray": ({"images": PIXELS[..., 0]}, r"images of the shape \(12, 20, 24\), expected \(N, 3, H, W\) or \(N, H, W, 3\)"),
    "one_channel": ({"images": PIXELS[..., :1]}, r"\(12, 20, 24, 1\), .*repeat a single channel three times"),
    "both": ({"images": np.zeros((12, 3, 5, 3), np.uint8)}, "it fits both, permute or resize them"),
    "empty_pictures": ({"images": np.zeros((12, 0, 5, 3), np.uint8)}, "of the shape"),
    "float_255": (
        {"images": PIXELS.astype(float)},
        "images from 0 to 255, expected 0 to 1; undo a normalisation, or divide by",
    ),
    "normalised": ({"images": PIXELS / 255 - 0.5}, "from -0.5 to 0.5, expected 0 to 1"),
    "nan": ({"images": np.full(PIXELS.shape, np.nan)}, "from nan to nan, expected 0 to 1"),
    "int64": ({"images": PIXELS.astype(int)}, "images of type int64, expected uint8 from 0 to 255, or floats from 0 to 1"),
    "bool": ({"images": PIXELS > 3}, "images of type bool, expected uint8"),
    "arrays": ({"images": list(PIXELS)}, r"image 0 is a ndarray, expected pictures .*stack arrays"),
    "files": ({"images": ["a.png"] * 12}, "image 0 is a str, expected pictures"),
    "float_picture": ({"images": [Image.new("F", (4, 4))], "labels": [0]}, "a picture of mode F cannot be read: its pixels are 32-bit"),
    "none": ({"images": None}, "images are a NoneType, expected a list"),
    "few_labels": ({"labels": [0, 1]}, "mine', train: 12 images, but 2 labels; give one label for each image"),
    "beyond": ({"labels": [0, 1, 3] * 4}, "label 3 is neither an integer from 0 to 2 nor a class name"),
    "negative": ({"labels": [0, 1, -1] * 4}, "label -1 is neither"),
    "truth": ({"labels": [True] * 12}, "label True is neither"),
    "float_label": ({"labels": [0.0] * 12}, "label 0.0 is neither"),
    "one_hot": ({"labels": np.eye(3)[LABELS]}, r"labels of the shape \(12, 3\), expected \(N,\)"),
    "unknown": ({"labels": ["gren"] * 12}, "label 'gren' is not a class name; did you mean 'green'"),
    "no_pair": ({"test": PIXELS}, "test: a ndarray is given, expected \\(images, labels\\)"),
    "no_test": ({"test": ([], [])}, "data set 'mine', test: there are no images"),
    "text": ({"class_names": "red"}, "class_names is 'red', expected a list of names"),
    "same_words": ({"class_names": ("a_b", "a b", "c")}, "classes 'a_b' and 'a b' have the same words"),
    "template": ({"template": "a photo"}, "the template 'a photo' does not name the class"),
    "views": ({"augmentation": "some"}, "augmentation is 'some', expected 'published' or 'none'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_data_is_refused_in_one_line(case: str) -> None:
    changes, message = WRONG[case]
    with pytest.raises(DepthubError, match=message) as refused:
        mine(**changes)
    assert "\n" not in str(refused.value)


def test_a_name_that_no_command_line_takes_is_refused() -> None:
    with pytest.raises(DepthubError, match="gives a data set with name 'my data', expected letters"):
        depthub.register(data_in_memory("my data", test=(PIXELS, LABELS), class_names=NAMES))


def test_a_data_set_is_run_by_its_name_and_again_when_its_contents_change(tmp_path: Path) -> None:
    spec = RunSpec(
        method=Component("CoOp", {"n_ctx": 2}),
        protocol=Component("FewShot"),
        data="mine",  # type: ignore[arg-type]
        backbone=write_backbone(tmp_path / "model"),
        training=Training(epochs=1, batch_size=4),
        shots=2,
    )
    data_set = mine()
    assert depthub.register(data_set) is data_set
    first = depthub.run(spec, runs=tmp_path / "runs")
    assert first.spec.data.sha256 == data_set.digest()
    assert sum(count.n_total for count in first.counts.values()) == 12
    assert "12 pictures are among the training and among the test images" in first.warnings
    on_disk: list[bool] = []
    run_many([spec], runs=tmp_path / "runs", on_done=lambda index, result, found_on_disk: on_disk.append(found_on_disk))
    changed = PIXELS.copy()
    changed[:] = 255 - changed
    depthub.register(mine(changed))
    run_many([spec], runs=tmp_path / "runs", on_done=lambda index, result, found_on_disk: on_disk.append(found_on_disk))
    assert on_disk == [True, False]
