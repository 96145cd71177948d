"""A bank of pattern masks, drawn once: rendering only picks one, so that an image takes less than half a millisecond."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from .attributes import TEXTURES

SIDE = 96  # pixels of a mask, twice the side of an image
MASKS = 48  # masks per texture

Plane = npt.NDArray[np.float64]  # (SIDE, SIDE)


@cache
def mask(bank: int, texture: str, number: int) -> Image.Image:
    """Mask `number` of a texture in the bank of that seed: mode L, SIDE x SIDE, 255 where the second tone shows.

    Each mask has a generator of its own, so that the bank does not depend on the order in which masks are drawn.
    """
    rng = np.random.default_rng([bank, TEXTURES.index(texture), number])
    plane = _DRAW[texture](rng)
    return Image.fromarray(np.uint8(np.clip(plane, 0, 1) * 255))


def _axes(rng: np.random.Generator, angle: float, low: float = 11, high: float = 20) -> tuple[Plane, Plane]:
    """Two rotated coordinates of every pixel in periods (of `low` to `high` pixels), at a random phase."""
    y, x = np.mgrid[:SIDE, :SIDE] / rng.uniform(low, high)
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos - y * sin + rng.random(), x * sin + y * cos + rng.random()


def _saw(plane: Plane) -> Plane:
    """Distance to the nearest integer, 0 to 0.5."""
    return np.abs(plane - np.round(plane))


def _sharp(plane: Plane) -> Plane:
    return (plane > 0).astype(np.float64)


def _striped(rng: np.random.Generator) -> Plane:
    u, _ = _axes(rng, rng.uniform(0, np.pi))
    return _sharp(_saw(u) - rng.uniform(0.22, 0.3))


def _dotted(rng: np.random.Generator) -> Plane:
    u, v = _axes(rng, rng.uniform(-0.4, 0.4), 13, 22)
    return _sharp(rng.uniform(0.26, 0.34) - np.hypot(_saw(u), _saw(v)))


def _checkered(rng: np.random.Generator) -> Plane:
    u, v = _axes(rng, rng.uniform(-0.4, 0.4), 20, 36)
    return _sharp(np.sin(2 * np.pi * u) * np.sin(2 * np.pi * v))


def _wavy(rng: np.random.Generator) -> Plane:
    u, v = _axes(rng, np.pi / 2 * rng.integers(2) + rng.uniform(-0.3, 0.3), 14, 22)
    return _sharp(_saw(u + rng.uniform(0.35, 0.5) * np.sin(2 * np.pi * v / rng.uniform(1.6, 2.2))) - 0.25)


def _grid(rng: np.random.Generator) -> Plane:
    u, v = _axes(rng, rng.uniform(-0.25, 0.25), 14, 24)
    return _sharp(rng.uniform(0.1, 0.15) - np.minimum(_saw(u), _saw(v)))


def _speckled(rng: np.random.Generator) -> Plane:
    noise = Image.fromarray(np.uint8(rng.integers(0, 256, (SIDE, SIDE))))
    smooth = np.asarray(noise.filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 2.3))), dtype=np.float64)
    return _sharp(smooth - np.quantile(smooth, rng.uniform(0.66, 0.76)))


def _zigzag(rng: np.random.Generator) -> Plane:
    u, v = _axes(rng, np.pi / 2 * rng.integers(2) + rng.uniform(-0.3, 0.3), 14, 22)
    return _sharp(_saw(u + rng.uniform(1.4, 2.0) * _saw(v / rng.uniform(1.4, 1.9))) - 0.25)


def _gradient(rng: np.random.Generator) -> Plane:
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SIDE, :SIDE] / (SIDE - 1) - 0.5
    ramp: Plane = 0.5 + (x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.9, 1.2)
    return ramp


def _brick(rng: np.random.Generator) -> Plane:
    u, v = _axes(rng, rng.uniform(-0.15, 0.15), 13, 20)
    across = u / 2 + 0.5 * (np.floor(v) % 2)
    rows = np.abs(v - np.floor(v) - 0.5) > rng.uniform(0.37, 0.42)
    return (rows | (_saw(across) < 0.07)).astype(np.float64)


def _crosshatched(rng: np.random.Generator) -> Plane:
    tilt = rng.uniform(-0.2, 0.2)
    u, _ = _axes(rng, np.pi / 4 + tilt, 9, 14)
    v, _ = _axes(rng, -np.pi / 4 + tilt, 9, 14)
    return _sharp(0.14 - np.minimum(_saw(u), _saw(v)))


def _scaly(rng: np.random.Generator) -> Plane:
    u, v = _axes(rng, rng.uniform(-0.2, 0.2), 17, 26)
    v = v * 2
    row = np.floor(v)
    lower = np.hypot(u + 0.5 * (row % 2) - np.round(u + 0.5 * (row % 2)), (v - row) / 2)
    upper = np.hypot(u + 0.5 * ((row - 1) % 2) - np.round(u + 0.5 * ((row - 1) % 2)), (v - row + 1) / 2)
    radius = np.where(lower < 0.5, lower, upper)
    return np.clip((radius - 0.2) / 0.3, 0, 1) ** 2


_DRAW = {
    "striped": _striped,
    "dotted": _dotted,
    "checkered": _checkered,
    "wavy": _wavy,
    "grid": _grid,
    "speckled": _speckled,
    "zigzag": _zigzag,
    "gradient": _gradient,
    "brick": _brick,
    "crosshatched": _crosshatched,
    "scaly": _scaly,
}
