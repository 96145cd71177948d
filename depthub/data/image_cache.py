"""Images as the test transform cuts them, decoded once and kept on disk: for methods that read the same images again and again."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import transforms

from depthub.data.dataset import Examples, fingerprints
from depthub.data.views import Views, centre
from depthub.data.worker_errors import in_one_line
from depthub.errors import DepthubError
from depthub.spec import digest
from depthub.system.provenance import version

PACKAGES = ("numpy", "pillow", "torchvision")  # they make the pixels


def cached(examples: Examples, size: tuple[int, int], folder: Path, workers: int = 0) -> Examples:
    """The same images resized and cropped, to be read from one file, which is made if it is not there or damaged.

    The file is named by what its content depends on, so that changed images have another one: the images' fingerprints, the transform,
    and the versions of what decodes and resizes.

    Args:
        examples: N images; their reader is `Fingerprinting`.
        size: H and W in pixels.
        folder: holds the files.
        workers: processes that decode.

    Raises:
        DepthubError: if an image cannot be read or the file cannot be written.
    """
    prints, cut = fingerprints(examples), centre(size)
    if prints is None:
        raise TypeError(f"{type(examples.read).__name__} cannot tell whether an image is still the same, so nothing of it may be kept")
    depends = [*(version(name) or "" for name in PACKAGES), repr(cut), *prints]
    path = folder / f"{digest(depends)}.npy"
    if not _sound(path, len(examples), size):
        _build(path, examples, size, workers)
    return replace(examples, read=CachedReader(path, examples.ids))


@dataclass(frozen=True)
class CachedReader:
    """Reads images of H x W from a cache's file.

    Args:
        path: the file.
        ids: of its rows.
    """

    path: Path
    ids: tuple[str, ...]

    def __call__(self, name: str) -> Image.Image:
        return Image.fromarray(self._images[self._rows[name]])

    def __reduce__(self) -> tuple[Any, ...]:
        return CachedReader, (self.path, self.ids)  # a worker maps the file itself; the map would be sent as a copy of all of it

    @cached_property
    def _images(self) -> Any:
        return np.load(self.path, mmap_mode="r")["image"]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}


def _kind(size: tuple[int, int]) -> np.dtype[Any]:
    """One row: an image and its checksum."""
    return np.dtype([("image", np.uint8, (*size, 3)), ("crc32", "<u4")])


def _sound(path: Path, number: int, size: tuple[int, int]) -> bool:
    """Whether the file is there and holds what was written."""
    try:
        rows = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # none, not of this format, or cut short
        return False
    return rows.dtype == _kind(size) and rows.shape == (number,) and all(crc32(row["image"]) == row["crc32"] for row in rows)


def _build(path: Path, examples: Examples, size: tuple[int, int], workers: int) -> None:
    views = Views(examples, transforms.Compose([centre(size), _as_bytes]))
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            rows = np.lib.format.open_memmap(temporary, "w+", _kind(size), (len(examples),))
            for row, (image, _) in enumerate(in_one_line(DataLoader(views, batch_size=None, num_workers=workers))):
                rows[row] = image.numpy(), crc32(image.numpy())
            rows.flush()
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DepthubError(f"cannot write {path}: {error.strerror or error}") from error


def _as_bytes(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture))
