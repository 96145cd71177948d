"""Images after the test transform's resize and crop, kept on disk: for methods that read the same images in every epoch."""

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

PACKAGES = ("numpy", "pillow", "torchvision")  # their versions may change pixels


def cached(examples: Examples, size: tuple[int, int], folder: Path, workers: int = 0) -> Examples:
    """The same images resized and cropped, in one file, which is written if it is missing or damaged.

    The name of the file is a digest of all that its content depends on, so that changed images get another file: the images'
    fingerprints, the transform, and the versions of `PACKAGES`.

    Args:
        examples: N images; their reader is `Fingerprinting`.
        size: H and W in pixels.
        folder: the folder of such files.
        workers: processes for decoding.

    Raises:
        DepthubError: if an image cannot be read or the file cannot be written.
    """
    prints, cut = fingerprints(examples), centre(size)
    if prints is None:
        raise TypeError(f"{type(examples.read).__name__} is not Fingerprinting, so its images cannot be kept on disk")
    dependencies = [*(version(name) or "" for name in PACKAGES), repr(cut), *prints]
    path = folder / f"{digest(dependencies)}.npy"
    if not _is_intact(path, len(examples), size):
        _build(path, examples, size, workers)
    return replace(examples, read=CachedReader(path, examples.ids))


@dataclass(frozen=True)
class CachedReader:
    """Reads images of H x W from a file of the cache.

    Args:
        path: the file.
        ids: ids of its rows.
    """

    path: Path
    ids: tuple[str, ...]

    def __call__(self, name: str) -> Image.Image:
        return Image.fromarray(self._images[self._rows[name]])

    def __reduce__(self) -> tuple[Any, ...]:
        return CachedReader, (self.path, self.ids)  # a worker maps the file itself; a pickled map would be a copy of the whole file

    @cached_property
    def _images(self) -> Any:
        return np.load(self.path, mmap_mode="r")["image"]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}


def _row_type(size: tuple[int, int]) -> np.dtype[Any]:
    """One row: an image and its checksum."""
    return np.dtype([("image", np.uint8, (*size, 3)), ("crc32", "<u4")])


def _is_intact(path: Path, number: int, size: tuple[int, int]) -> bool:
    """Whether the file exists and every row has its checksum."""
    try:
        rows = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # missing, of another format, or truncated
        return False
    return rows.dtype == _row_type(size) and rows.shape == (number,) and all(crc32(row["image"]) == row["crc32"] for row in rows)


def _build(path: Path, examples: Examples, size: tuple[int, int], workers: int) -> None:
    views = Views(examples, transforms.Compose([centre(size), _as_bytes]))
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            rows = np.lib.format.open_memmap(temporary, "w+", _row_type(size), (len(examples),))
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
