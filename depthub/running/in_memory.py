"""A data set in memory: arrays or pictures with labels, identified by their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from depthub.boundary import check_data
from depthub.data.dataset import Data, DataSet, Examples
from depthub.data.pictures import rgb
from depthub.errors import DepthubError, hint
from depthub.types import ClassSet

Split = tuple[Any, Any]
_LARGEST = 255  # of a channel of 8 bits
_LAYOUT = "expected (N, 3, H, W) or (N, H, W, 3)"


def data_in_memory(
    name: str,
    *,
    train: Split | None = None,
    test: Split,
    class_names: Sequence[str],
    template: str = "a photo of a {}.",
    val: Split | None = None,
    augmentation: str = "published",
) -> DataSet:
    """A data set of images in memory; `depthub.register` makes it usable by its name.

    Images are copied, with 8 bits per channel; later changes have no effect. Classes, labels and pixels identify the data set, so
    other images under the same name are another run. The notes of its runs say how many images are both in `train` and in `test`.

    Args:
        name: letters, digits, `_`, `-` and `.`, for example "mine".
        train: (images, labels) that few-shot samples are drawn from; None for a data set that is used for testing only.
            Images are a list of N pictures (`PIL.Image.Image`, of any mode and size), or an array or tensor (N, 3, H, W) or (N, H, W, 3):
            of integers from 0 to 255 (uint8), or of floats from 0 to 1, which are rounded to 8 bits; not normalised. Labels are N integers
            from 0 to M - 1, or N class names.
        test: (images, labels) to test on.
        class_names: M names; label 0 is the first. Underscores stand for blanks.
        template: the hand-written prompt, with `{}` for the class name.
        val: (images, labels) for validation; None: there are none.
        augmentation: the training views that suit the images: "published" (random resized crop and flip), or "none".

    Raises:
        DepthubError: for images of another shape, type or range, labels without a class, numbers of images and labels that differ, or
            classes with the same words.
    """
    if isinstance(class_names, str) or not all(isinstance(one, str) for one in class_names):
        raise DepthubError(f"data set {name!r}: class_names is {class_names!r:.80}, expected a list of names")
    if augmentation not in ("published", "none"):
        raise DepthubError(f"data set {name!r}: augmentation is {augmentation!r}, expected 'published' or 'none'")
    names = tuple(class_names)
    where = f"data set {name!r}"
    classes = ClassSet(str(name), tuple(range(len(names))), names, template)
    data = Data(
        classes,
        train=Examples((), (), Pictures(())) if train is None else _examples(train, names, "train", where),
        val=None if val is None else _examples(val, names, "val", where),
        test=_examples(test, names, "test", where),
    )
    check_data(data, str(name))
    if not len(data.test):
        raise DepthubError(f"{where}, test: there are no images; give some to test on")
    return InMemory(name, replace(data, notes=_notes(data)), augmentation)


class InMemory(DataSet):
    """A data set whose images are in memory.

    Args:
        name: its public name.
        data: classes, splits and notes.
        augmentation: the training views that suit its images.
    """

    def __init__(self, name: str, data: Data, augmentation: Any) -> None:
        self.name, self.augmentation, self._data = name, augmentation, data

    def __repr__(self) -> str:
        data = self._data
        return f"<data set {self.name!r}: {len(data.classes)} classes, {len(data.train)} training and {len(data.test)} test images>"

    def load(self, root: Path | None = None) -> Data:
        return self._data

    def digest(self, root: Path | None = None) -> str:
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return super().digest()  # once, since the images cannot change


@dataclass(frozen=True)
class Pictures:
    """Reads pictures of a split in memory; an id is the split and a number, as in "train/3".

    Args:
        pictures: size (W, H) and RGB pixels of each.
    """

    pictures: tuple[tuple[tuple[int, int], bytes], ...]

    def __call__(self, name: str) -> Image.Image:
        """The picture in RGB."""
        size, pixels = self._of(name)
        return Image.frombytes("RGB", size, pixels)

    def fingerprint(self, name: str) -> str:
        """SHA-256 of size and pixels."""
        size, pixels = self._of(name)
        return hashlib.sha256(f"RGB {size} ".encode() + pixels).hexdigest()

    def _of(self, name: str) -> tuple[tuple[int, int], bytes]:
        return self.pictures[int(name.rpartition("/")[2])]


def _examples(part: Any, class_names: Sequence[str], split: str, data_set: str) -> Examples:
    where = f"{data_set}, {split}"
    if not isinstance(part, tuple | list) or len(part) != 2:
        raise DepthubError(f"{where}: a {type(part).__name__} is given, expected (images, labels)")
    images, labels = part
    pictures = tuple((image.size, image.tobytes()) for image in _pictures(images, where))
    numbers = tuple(_label(label, class_names, where) for label in _listed(labels, "labels", where))
    if len(pictures) != len(numbers):
        raise DepthubError(f"{where}: {len(pictures)} images, but {len(numbers)} labels; give one label for each image")
    return Examples(tuple(f"{split}/{number}" for number in range(len(pictures))), numbers, Pictures(pictures))


def _pictures(images: Any, where: str) -> Iterator[Image.Image]:
    if isinstance(images, np.ndarray | Tensor):
        yield from map(Image.fromarray, _pixels(images, where))
        return
    for number, image in enumerate(_listed(images, "images", where)):
        if not isinstance(image, Image.Image):
            raise DepthubError(
                f"{where}: image {number} is a {type(image).__name__}, expected pictures (PIL.Image.Image), or one array of all images; "
                "stack arrays (numpy.stack, torch.stack)"
            )
        yield rgb(image)


def _pixels(images: np.ndarray[Any, Any] | Tensor, where: str) -> np.ndarray[Any, Any]:
    """Pixels (N, H, W, 3) in 8 bits."""
    if isinstance(images, Tensor):
        images = images.detach().cpu()
        images = (images.double() if images.is_floating_point() else images).numpy()
    channels_first, channels_last = (images.ndim == 4 and images.shape[axis] == 3 for axis in (1, 3))
    if channels_first == channels_last or 0 in images.shape[1:]:
        remedy = "it fits both, permute or resize them" if channels_first else "repeat a single channel three times"
        raise DepthubError(f"{where}: images of the shape {tuple(images.shape)}, {_LAYOUT}; {remedy}")
    pixels = _in_8_bits(images, where)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1) if channels_first else pixels)


def _in_8_bits(images: np.ndarray[Any, Any], where: str) -> np.ndarray[Any, Any]:
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise DepthubError(f"{where}: images of type {images.dtype}, expected uint8 from 0 to 255, or floats from 0 to 1")
    least, most = (float(images.min()), float(images.max())) if images.size else (0.0, 0.0)
    if not 0 <= least <= most <= 1:  # NaN fails this, too
        raise DepthubError(
            f"{where}: floating-point images from {least:g} to {most:g}, expected 0 to 1; undo a normalisation, or divide by {_LARGEST}"
        )
    rounded: np.ndarray[Any, Any] = np.rint(images * _LARGEST).astype(np.uint8)
    return rounded


def _listed(values: Any, what: str, where: str) -> list[Any]:
    """Labels or images one by one."""
    if isinstance(values, Tensor | np.ndarray):
        if values.ndim != 1:
            raise DepthubError(f"{where}: {what} of the shape {tuple(values.shape)}, expected (N,)")
        return list(values.tolist())
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise DepthubError(f"{where}: {what} are a {type(values).__name__}, expected a list")
    return list(values)


def _label(label: Any, class_names: Sequence[str], where: str) -> int:
    if isinstance(label, str):
        if label not in class_names:
            raise DepthubError(f"{where}: label {label!r} is not a class name{hint(label, class_names)}")
        return class_names.index(label)
    number = label.item() if isinstance(label, np.generic | Tensor) and _single(label) else label
    if type(number) is not int or not 0 <= number < len(class_names):
        raise DepthubError(f"{where}: label {label!r:.80} is neither an integer from 0 to {len(class_names) - 1} nor a class name")
    return number


def _single(label: Any) -> bool:
    return not isinstance(label, Tensor) or label.numel() == 1


def _notes(data: Data) -> tuple[str, ...]:
    """Remarks for readers of the numbers."""
    splits = [(split.read, split.ids) for split in (data.train, data.test)]
    both = set.intersection(*({read.fingerprint(name) for name in ids} for read, ids in splits if isinstance(read, Pictures)))
    return (f"{len(both)} pictures are among the training and among the test images",) if both else ()
