"""The parts of a data set: training, validation and test images."""

from __future__ import annotations

from typing import Literal, get_args

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
