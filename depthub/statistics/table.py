"""Scores of several rows on the same data sets with the same seeds, as arrays: what all statistics of boards are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthub.errors import DepthubError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """Scores in percent, complete: every row has every data set and seed.

    Args:
        rows: names of the M rows.
        sets: names of the D data sets.
        scores: by name, shape (M, D, S) for S seeds; the harmonic ones are left out, since they are made of averages.
        harmonic: names of the two parts of each harmonic score, as `Summary.harmonic` declares them.
    """

    rows: Sequence[str]
    sets: Sequence[str]
    scores: Mapping[str, Array]
    harmonic: Mapping[str, tuple[str, str]]

    def __post_init__(self) -> None:
        shapes = {name: values.shape for name, values in self.scores.items()}
        expected = (len(self.rows), len(self.sets))
        if wrong := {name: shape for name, shape in shapes.items() if len(shape) != 3 or shape[:2] != expected}:
            raise DepthubError(f"scores {wrong}, expected (rows, data sets, seeds) with {expected[0]} rows and {expected[1]} data sets")
        if gaps := [name for name, values in self.scores.items() if not np.isfinite(values).all()]:
            raise DepthubError(f"score {gaps[0]!r} has values that are not finite; every row needs every data set and seed")

    @property
    def seeds(self) -> int:
        """Their number S."""
        return int(next(iter(self.scores.values())).shape[2])

    def per_set(self, score: str) -> Array:
        """(M, D): a score of each row on each data set, over seeds; harmonic scores of the averages of their parts."""
        return combined(self, score, {name: values.mean(axis=-1) for name, values in self.scores.items()})

    def per_cell(self, score: str) -> Array:
        """(M, D, S): a score of every run."""
        return combined(self, score, self.scores)

    def average(self, score: str) -> Array:
        """(M,): a score of each row over data sets, harmonic scores of the averages of their parts (the field's convention)."""
        return combined(self, score, {name: values.mean(axis=(-2, -1)) for name, values in self.scores.items()})


def combined(table: Table, score: str, parts: Mapping[str, Array]) -> Array:
    """A score from its parts, for arrays of any shape.

    Args:
        table: declares the harmonic scores.
        score: a score of the table, or a harmonic one.
        parts: by name, in percent.

    Raises:
        DepthubError: for a score that the table does not have.
    """
    if score in parts:
        return np.asarray(parts[score])
    if score not in table.harmonic:
        raise DepthubError(f"no score {score!r}; there are {', '.join([*table.scores, *table.harmonic])}")
    one, other = (combined(table, part, parts) for part in table.harmonic[score])
    total = one + other
    return np.asarray(np.divide(2 * one * other, total, out=np.zeros_like(total), where=total > 0))
