"""Training images as the tokens before the first layer of the image tower that a method changes: what lies before is computed in large
batches, and once for all epochs where an image is the same in each.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from depthub.data.loader import on_device
from depthub.data.views import PerEpoch, Views
from depthub.encoding.backbone import Backbone

BATCH = 100  # images encoded at a time
MOST_STATES = 4 * 10**9  # bytes; a data set with more is given as pixels


class LayerStates(PerEpoch):
    """Tokens (1 + P, w_v) of each image before a layer, with its label, on the CPU; encoded when `epoch` is set.

    Args:
        backbone: the frozen model.
        images: N images as pixels.
        layer: from 0.
        random: whether these are random views, other ones in every epoch.
        workers: processes that read images.
    """

    def __init__(self, backbone: Backbone, images: Views, layer: int, *, random: bool, workers: int = 0) -> None:
        self._backbone, self._images, self._layer, self._random, self._workers = backbone, images, layer, random, workers
        self._states: Tensor | None = None

    @property
    def epoch(self) -> int:
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        if self._states is None or self._random:
            self._images.epoch = epoch
            batches = on_device(DataLoader(self._images, BATCH, num_workers=self._workers), self._backbone.scale.device)
            self._states = torch.cat([self._backbone.image_states(pixels, self._layer).cpu() for pixels, _ in batches])

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        assert self._states is not None, "an epoch is set before the first item is read"
        return self._states[i], self._images.examples.labels[i]


def state_bytes(backbone: Backbone) -> int:
    """Bytes of one image's tokens."""
    kernel = backbone.clip.visual.conv1.weight.shape[-2:]
    patches = (backbone.image_size[0] // kernel[0]) * (backbone.image_size[1] // kernel[1])
    return int((1 + patches) * backbone.image_width * backbone.scale.element_size())
