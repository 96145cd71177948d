"""Whether pictures can be read: every one is opened and converted to RGB."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

BROKEN = "cannot be decoded"
BATCH = 1000  # pictures handed to the threads at a time: a million waiting would fill the memory
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".gif": "GIF"}


def decode(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Read pictures with several threads; most of the work is done outside of Python's lock.

    Args:
        folder: that the names are relative to.
        names: of the pictures.

    Yields:
        (name, finding) of each. The finding is empty for an RGB or gray picture in the format that its name says; it begins with
        `BROKEN` if the picture cannot be read.
    """
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as threads:
        warnings.simplefilter("ignore")  # Pillow's remarks on metadata and transparency
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            yield from zip(batch, threads.map(partial(_finding, folder), batch), strict=True)


def _finding(folder: Path, name: str) -> str:
    try:
        with Image.open(folder / name) as picture:
            form, mode = picture.format or "", picture.mode
            picture.convert("RGB")
    except Exception as error:  # on broken bytes a decoder may raise anything
        return f"{BROKEN}: {' '.join(str(error).split()) or type(error).__name__}"
    odd = [f"a {form} file"] if form != FORMATS.get(Path(name).suffix.lower(), form) else []
    odd += [f"in mode {mode}"] if mode not in ("RGB", "L") else []
    return ", ".join(odd)
