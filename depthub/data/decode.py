"""Whether pictures can be read: every one is opened and converted to RGB."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from depthub.data.pictures import SUFFIXES, UnreadableImageError, as_rgb, opened

BROKEN, HARMLESS = "cannot be decoded", "nothing to do: it is read as RGB"
Progress = Callable[[int, int], object]  # told the numbers of pictures decoded and of all
BATCH = 1000  # pictures handed to the threads at a time: a million waiting would fill the memory


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


def oddities(folder: Path, names: Sequence[str], progress: Progress) -> dict[str, list[str]]:
    """What `decode` finds that is not empty, and the names of the pictures that it is true of."""
    odd: dict[str, list[str]] = {}
    for done, (name, finding) in enumerate(decode(folder, names), 1):
        progress(done, len(names))
        if finding:
            odd.setdefault(finding, []).append(name)
    return odd


def _finding(folder: Path, name: str) -> str:
    try:
        with opened(folder / name) as picture:
            form, mode = picture.format or "", picture.mode
            as_rgb(picture)
    except UnreadableImageError as error:
        return f"{BROKEN}: {error.reason}"
    odd = [f"a {form} file"] if form != SUFFIXES.get(Path(name).suffix.lower(), form) else []
    odd += [f"in mode {mode}"] if mode not in ("RGB", "L") else []
    return ", ".join(odd)
