"""A record compared with depthub's numbers: the deviations, and the quantities that were left out."""

from __future__ import annotations

from math import inf, isfinite
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from depthub.testing.golden.record import PRECISIONS, Record


class Comparison:
    """A record in one precision, compared quantity by quantity.

    Args:
        record: the case.
        precision: "fp64" or "fp32"; empty if its numbers have no precision.

    Attributes:
        deviations: by quantity: largest error divided by the largest entry; infinite for another shape, for unequal values that must be
            equal, and for values that are not finite.
    """

    def __init__(self, record: Record, precision: str) -> None:
        self.record, self.precision = record, precision
        self.dtype = torch.float32 if precision == "fp32" else torch.float64
        self.deviations: dict[str, float] = {}
        self._read: set[str] = set()
        self._left: list[str] = []

    def input(self, name: str, *shape: int | None) -> NDArray[Any]:
        """An input array; see `Record.array`."""
        self._read.add(name)
        return self.record.array(name, *shape)

    def floats(self, name: str, *shape: int | None) -> Tensor:
        """An input array as a tensor in the precision of the comparison."""
        return torch.from_numpy(self.input(name, *shape).astype(np.float64)).to(self.dtype)

    def labels(self, name: str, n_classes: int, *shape: int | None) -> Tensor:
        """Input labels, int64.

        Raises:
            DepthubError: if there are none, or one is not an integer from 0 to `n_classes` - 1.
        """
        value = self.input(name, *shape)
        if value.dtype.kind not in "iu" or not value.size or not 0 <= value.min() <= value.max() < n_classes:
            raise self.record.error(f"the array {name!r} has to hold integers from 0 to {n_classes - 1}")
        return torch.from_numpy(value.astype(np.int64))

    def recorded(self, start: str = "") -> list[str]:
        """Names of the recorded results that begin with `start`, without precision and `start`."""
        whole = f"{self.precision}/{start}" if self.precision else start
        return [name.removeprefix(whole) for name in self.record.arrays if name.startswith(whole)]

    def compare(self, name: str, value: Tensor | NDArray[Any] | None) -> None:
        """Compare a result, if it was recorded, with depthub's value; None: depthub has no value, an infinite deviation."""
        whole = f"{self.precision}/{name}" if self.precision else name
        if whole in self.record.arrays:
            self._read.add(whole)
            value = value.detach().numpy() if isinstance(value, Tensor) else value
            self.note(name, self.record.arrays[whole], value)

    def equal(self, name: str, value: ArrayLike) -> None:
        """Compare an array without precision, if it was recorded, with a value that must be equal."""
        if name in self.record.arrays:
            self._read.add(name)
            self.deviations[name] = 0.0 if np.array_equal(self.record.arrays[name], np.asarray(value)) else inf

    def note(self, name: str, recorded: ArrayLike, value: ArrayLike | None) -> None:
        """Store the deviation of a value."""
        self.deviations[name] = _deviation(np.asarray(recorded), None if value is None else np.asarray(value))

    def leave(self, name: str) -> None:
        """Store the name of a recorded value, not an array, that cannot be compared."""
        self._left.append(name)

    def left_out(self) -> list[str]:
        """Names of recorded values, in this precision or without one, that were neither inputs nor compared."""
        others = tuple(f"{p}/" for p in PRECISIONS if p != self.precision)
        return self._left + [name for name in self.record.arrays if name not in self._read and not name.startswith(others)]


def _deviation(recorded: NDArray[Any], value: NDArray[Any] | None) -> float:
    if value is None or value.shape != recorded.shape:
        return inf
    if not recorded.size:
        return 0.0
    expected = recorded.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        largest = float(np.abs(value.astype(np.float64) - expected).max() / max(np.abs(expected).max(), 1e-300))
    return largest if isfinite(largest) else inf
