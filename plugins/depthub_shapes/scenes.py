"""The scenes of pre-training: random ones, and easy ones for the curriculum."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

import numpy as np

from .attributes import (
    BASIC,
    COLOURS,
    DIGITS,
    FIGURES,
    FINE,
    MOST,
    POSITIONS,
    SHAPES,
    SIZES,
    STYLES,
    TEXTURES,
    Scene,
    contrasts,
    is_held_out,
)

T = TypeVar("T")

_PATTERNS, _FLAGS = 0.13, 0.07  # shares of full-frame patterns and of flags; the rest shows objects
_COLOUR_WEIGHTS = (3.0,) * len(BASIC) + (1.0,) * len(FINE)
_SHAPE_WEIGHTS = (3.0,) * len(FIGURES) + (1.3,) * len(DIGITS)
_TEXTURE_WEIGHTS = (11.0,) + (1.0,) * 11  # half of the objects are solid


def _pick(rng: np.random.Generator, values: Sequence[T], weights: Sequence[float] | None = None) -> T:
    """A weighted choice; `Generator.choice` is ten times slower for one value."""
    if weights is None:
        return values[int(rng.random() * len(values))]
    sums = list(accumulate(weights))
    return values[bisect(sums, rng.random() * sums[-1])]


def random_scene(rng: np.random.Generator, easy: float) -> Scene:
    """A pre-training scene; with probability `easy` a simple one. Held-out combinations never occur."""
    simple = rng.random() < easy
    kind = rng.random()
    if kind < _PATTERNS:
        style = "plain" if simple else _style(rng)
        return Scene(
            "pattern", _colour(rng), None, _pick(rng, TEXTURES), None, None, None, None, None, "plain" if style == "sketch" else style
        )
    if kind < _PATTERNS + _FLAGS:
        colour, second, background = _flag_colours(rng)
        return Scene("flag", colour, None, None, None, None, None, background, second)
    return _easy_object(rng) if simple else _object(rng)


def _colour(rng: np.random.Generator) -> str:
    return _pick(rng, COLOURS, _COLOUR_WEIGHTS)


def _ground(rng: np.random.Generator, *others: str) -> str:
    """A background colour in contrast to the other colours."""
    while True:
        colour = _colour(rng)
        if all(contrasts(colour, other) for other in others):
            return colour


def _flag_colours(rng: np.random.Generator) -> tuple[str, str, str]:
    colour = _colour(rng)
    second = _ground(rng, colour)
    return colour, second, _ground(rng, colour, second)


def _style(rng: np.random.Generator) -> str:
    return "plain" if rng.random() < 0.75 else _pick(rng, STYLES[1:])


def _easy_object(rng: np.random.Generator) -> Scene:
    """One solid object, plain, mostly centred."""
    colour = _colour(rng)
    position = "center" if rng.random() < 0.75 else _pick(rng, POSITIONS[1:])
    size = _pick(rng, ("medium", "large")) if position == "center" else _pick(rng, ("small", "medium"))
    return Scene("object", colour, _pick(rng, SHAPES, _SHAPE_WEIGHTS), "solid", 1, size, position, _ground(rng, colour))


def _object(rng: np.random.Generator) -> Scene:
    shape = _pick(rng, SHAPES, _SHAPE_WEIGHTS)
    style = _style(rng)
    colour, texture = _colour(rng), _pick(rng, TEXTURES, _TEXTURE_WEIGHTS)
    while is_held_out(colour, texture, shape):
        colour, texture = _colour(rng), _pick(rng, TEXTURES, _TEXTURE_WEIGHTS)
    background = _ground(rng, colour)
    surface = None if style == "sketch" else texture  # an outline has no surface
    if shape not in DIGITS and rng.random() < 0.27:
        return Scene("object", colour, shape, surface, int(rng.integers(2, MOST + 1)), None, None, background, None, style)
    position = "center" if rng.random() < 0.45 else _pick(rng, POSITIONS[1:])
    # Large objects reach both edges, so that they can only be in the centre.
    size = _pick(rng, SIZES, (1.0, 2.0, 2.5)) if position == "center" else _pick(rng, SIZES[:2])
    return Scene("object", colour, shape, surface, 1, size, position, background, None, style)
