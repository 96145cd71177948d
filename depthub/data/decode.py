"""Trial decoding: every picture is opened and converted to RGB."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from depthub.data.picture_formats import SUFFIXES
from depthub.data.pictures import UnreadableImageError, as_rgb, opened

BROKEN, HARMLESS = "cannot be decoded", "nothing to do: it is read as RGB"
Progress = Callable[[int, int], object]  # called with the numbers of pictures decoded and of all
BATCH = 1000  # pictures given to the threads at a time: a queue of a million would fill the memory


def decode(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Read pictures with several threads; most of the work is done outside of Python's lock.

    Args:
        folder: the folder of the pictures.
        names: paths relative to it.

    Yields:
        (name, finding) of each. The finding is empty for an RGB or gray picture in the format of its ending, such as "a PNG file" for
        other formats, and begins with `BROKEN` for an unreadable picture.
    """
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as threads:
        warnings.simplefilter("ignore")  # Pillow's remarks on metadata and transparency
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            yield from zip(batch, threads.map(partial(_finding, folder), batch), strict=True)


def oddities(folder: Path, names: Sequence[str], progress: Progress) -> dict[str, list[str]]:
    """The findings of `decode` that are not empty, each with the names of its pictures."""
    by_finding: dict[str, list[str]] = {}
    for done, (name, finding) in enumerate(decode(folder, names), 1):
        progress(done, len(names))
        if finding:
            by_finding.setdefault(finding, []).append(name)
    return by_finding


def _finding(folder: Path, name: str) -> str:
    """The remarkable properties of a picture; empty: none."""
    try:
        with opened(folder / name) as picture:
            format_, mode = picture.format or "", picture.mode
            as_rgb(picture)
    except UnreadableImageError as error:
        return f"{BROKEN}: {error.reason}"
    findings = []
    if format_ != SUFFIXES.get(Path(name).suffix.lower(), format_):
        findings.append(f"a {format_} file")
    if mode not in ("RGB", "L"):
        findings.append(f"in mode {mode}")
    return ", ".join(findings)
