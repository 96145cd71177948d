"""Picture formats: which endings of file names are read, and the format behind each."""

from __future__ import annotations

import os
from importlib.util import find_spec

# Ending to Pillow's name of the format. No other format is tried, whatever the content of a file: some call other programs.
SUFFIXES = {
    **{".bmp": "BMP", ".gif": "GIF", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP"},
    **dict.fromkeys((".jfif", ".jpe", ".jpeg", ".jpg"), "JPEG"),
    **dict.fromkeys((".pbm", ".pgm", ".pnm", ".ppm"), "PPM"),
    **({".avif": "AVIF"} if find_spec("PIL._avif") else {}),  # if Pillow was built with it
}
FORMATS = tuple(sorted(set(SUFFIXES.values())))


def is_picture(name: str) -> bool:
    """Whether a file's name ends like a picture, in any case; the file is not opened."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - called for a million names
