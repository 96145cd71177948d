"""Small folders of pictures, by part and class."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def write_folder(root: Path, *parts: str, each: int = 3) -> Path:
    """Write a folder with these parts, each with two classes and other pictures than the others."""
    for number, part in enumerate(parts):
        for label, name in enumerate(("cat", "dog")):
            (root / part / name).mkdir(parents=True)
            for i in range(each):  # no compression: all files have the same size
                picture = Image.new("RGB", (8, 8), (40 * number, 100 * label, 50 * i))
                picture.save(root / part / name / f"{part}{i}.png", compress_level=0)
    return root
