"""The attribute vocabulary of the rendered world, and a scene as a set of attribute values."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

BASIC = {
    "red": (215, 35, 35),
    "orange": (245, 135, 25),
    "yellow": (245, 220, 40),
    "green": (40, 155, 55),
    "blue": (40, 80, 215),
    "purple": (125, 45, 165),
    "pink": (250, 150, 190),
    "brown": (125, 75, 35),
    "black": (22, 22, 22),
    "white": (245, 245, 245),
    "gray": (128, 128, 128),
    "cyan": (45, 215, 230),
}
FINE = {
    "navy": (15, 25, 95),
    "teal": (0, 115, 115),
    "maroon": (110, 10, 30),
    "olive": (115, 115, 20),
    "lime": (165, 240, 30),
    "beige": (230, 215, 175),
    "gold": (205, 160, 25),
    "lavender": (190, 170, 240),
    "magenta": (225, 35, 200),
    "turquoise": (60, 195, 165),
    "coral": (250, 120, 95),
    "indigo": (70, 25, 140),
}
RGB = {**BASIC, **FINE}  # colour name -> centre, 0-255
COLOURS = tuple(RGB)
TEXTURES = (
    "solid",
    "striped",
    "dotted",
    "checkered",
    "wavy",
    "grid",
    "speckled",
    "zigzag",
    "gradient",
    "brick",
    "crosshatched",
    "scaly",
)
FIGURES = (
    "circle",
    "square",
    "triangle",
    "star",
    "heart",
    "cross",
    "diamond",
    "pentagon",
    "hexagon",
    "crescent",
    "ring",
    "arrow",
    "oval",
    "trapezoid",
    "semicircle",
    "drop",
    "bolt",
    "house",
    "fish",
    "tree",
    "mushroom",
    "flower",
    "boat",
    "hourglass",
)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS = tuple(f"digit {word}" for word in NUMBERS)
SHAPES = FIGURES + DIGITS
SIZES = ("small", "medium", "large")
POSITIONS = ("center", "left", "right", "top", "bottom")
STYLES = ("plain", "sketch", "blurry", "grainy", "faded", "pixelated")
KINDS = ("object", "pattern", "flag")
MOST = 6  # most objects in one image

MIN_CONTRAST = 6500  # squared RGB distance of foreground and background centres
HELD_OUT_SEED = 64
HELD_OUT_COUNT = 64

# Attribute -> number of values; the order of `codes`. "many" is count > 1, "pair" the unordered colours of a flag.
CARDINALITY = {
    "kind": len(KINDS),
    "shape": len(SHAPES),
    "colour": len(COLOURS),
    "texture": len(TEXTURES),
    "count": MOST,
    "many": 2,
    "size": len(SIZES),
    "position": len(POSITIONS),
    "background": len(COLOURS),
    "second": len(COLOURS),
    "pair": len(COLOURS) ** 2,
    "style": len(STYLES),
}


@dataclass(frozen=True)
class Scene:
    """The content of an image; None: the scene does not have the attribute.

    kind "object": `count` copies of `shape` on `background`; size and position only when count is 1.
    kind "pattern": `texture` in `colour` over the whole frame.
    kind "flag": two bands, `colour` first (top or left) and `second`, on `background`.
    """

    kind: str
    colour: str
    shape: str | None = None
    texture: str | None = "solid"
    count: int | None = 1
    size: str | None = "large"
    position: str | None = "center"
    background: str | None = None
    second: str | None = None
    style: str = "plain"

    def codes(self) -> dict[str, int]:
        """Attribute name -> index of its value, -1 where undefined."""
        pair = -1
        if self.second is not None:
            low, high = sorted((COLOURS.index(self.colour), COLOURS.index(self.second)))
            pair = low * len(COLOURS) + high
        return {
            "kind": KINDS.index(self.kind),
            "shape": _index(SHAPES, self.shape),
            "colour": COLOURS.index(self.colour),
            "texture": _index(TEXTURES, self.texture),
            "count": -1 if self.count is None else self.count - 1,
            "many": -1 if self.count is None else int(self.count > 1),
            "size": _index(SIZES, self.size),
            "position": _index(POSITIONS, self.position),
            "background": _index(COLOURS, self.background),
            "second": _index(COLOURS, self.second),
            "pair": pair,
            "style": STYLES.index(self.style),
        }


def _index(values: tuple[str, ...], value: str | None) -> int:
    return -1 if value is None else values.index(value)


def contrasts(one: str, other: str) -> bool:
    """Whether two colour names are far enough apart to be figure and ground."""
    return sum((a - b) ** 2 for a, b in zip(RGB[one], RGB[other], strict=True)) > MIN_CONTRAST


@cache
def held_out() -> tuple[tuple[str, str, str], ...]:
    """The (basic colour, non-solid texture, figure) triples that pre-training never shows: the classes of `compose`."""
    every = [(colour, texture, shape) for colour in BASIC for texture in TEXTURES[1:] for shape in FIGURES]
    return tuple(sorted(random.Random(HELD_OUT_SEED).sample(every, HELD_OUT_COUNT)))


@cache
def _held_out_set() -> frozenset[tuple[str, str, str]]:
    return frozenset(held_out())


def is_held_out(colour: str, texture: str | None, shape: str | None) -> bool:
    """Whether pre-training must not show this combination."""
    return (colour, texture, shape) in _held_out_set()
