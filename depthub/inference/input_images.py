"""Pictures, files and pixels as one batch after another of what a backbone reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor

from depthub.data import pictures
from depthub.data.views import transform
from depthub.encoding.backbone import Backbone
from depthub.encoding.image_features import BATCH
from depthub.errors import DepthubError
from depthub.spec import DataSpec

Picture = Image | Path | str | Tensor


class InputImages:
    """Turns images into pixels, as a run read its own.

    Args:
        backbone: the frozen model, with its image size and statistics.
        data: decoding and background of the run's pictures.
    """

    def __init__(self, backbone: Backbone, data: DataSpec) -> None:
        self.size, self.data = backbone.image_size, data
        self._transform = transform(backbone.image_size, backbone.image_statistics, augment=False)

    def batches(self, images: Sequence[Picture] | Picture) -> Iterator[Tensor]:
        """Pixels (B, 3, H, W) of images, at most `BATCH` of them at a time.

        Raises:
            DepthubError: if there are no images, one cannot be read, or pixels have another shape than the backbone reads.
        """
        if isinstance(images, Tensor):
            yield from torch.split(self._checked(images), BATCH)
            return
        if isinstance(images, Image | Path | str):
            images = [images]
        if not len(images):
            raise DepthubError("no images are given; expected at least one")
        for start in range(0, len(images), BATCH):
            yield torch.stack([self._pixels(image) for image in images[start : start + BATCH]])

    def _checked(self, pixels: Tensor) -> Tensor:
        """Pixels (N, 3, H, W) of one image or several."""
        height, width = self.size
        if pixels.shape[-3:] != (3, height, width) or pixels.ndim not in (3, 4) or not pixels.numel() or not pixels.is_floating_point():
            present = f"{pixels.dtype} of shape {tuple(pixels.shape)}"
            raise DepthubError(f"images are {present}, expected normalised pixels of shape (N, 3, {height}, {width})")
        return pixels if pixels.ndim == 4 else pixels[None]

    def _pixels(self, image: Picture) -> Tensor:
        """Pixels (3, H, W)."""
        if isinstance(image, Tensor):
            return self._checked(image)[0]
        if isinstance(image, Image):
            return self._transform(pictures.rgb(image, self.data.background))
        if isinstance(image, Path | str):
            edge = 2 * max(self.size) if self.data.decoding == "draft" else 0
            return self._transform(pictures.read(Path(image), self.data.background, edge))
        raise DepthubError(f"an image is a {type(image).__name__}, expected a picture (PIL.Image.Image), a path or pixels (3, H, W)")
