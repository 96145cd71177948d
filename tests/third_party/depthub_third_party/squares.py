"""Squares of one colour, made when they are read."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from depthub import ClassSet, Data, DataSet, Examples

COLOURS = ("red", "green", "blue", "yellow")
SIZE = 64


class Squares(DataSet):
    """Four classes, eight training and four test images each; their squares differ in place and size."""

    name = "squares"
    augmentation = "none"

    def load(self, root: Path | None = None) -> Data:
        classes = ClassSet("squares", tuple(range(len(COLOURS))), COLOURS, "a photo of a {} square.")
        return Data(classes, _examples("train", 8), _examples("test", 4))


def _examples(split: str, each: int) -> Examples:
    ids = tuple(f"{split}/{colour}/{i}" for colour in COLOURS for i in range(each))
    return Examples(ids, tuple(label for label in range(len(COLOURS)) for _ in range(each)), draw)


def draw(name: str) -> Image.Image:
    """The image of that name."""
    split, colour, number = name.split("/")
    corner = 4 + 3 * int(number) + (1 if split == "test" else 0)
    image = Image.new("RGB", (SIZE, SIZE), "white")
    ImageDraw.Draw(image).rectangle((corner, corner, corner + 24, corner + 24), fill=colour)
    return image
