"""The parts that a data set is divided into."""

from __future__ import annotations

from typing import Literal, get_args

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
