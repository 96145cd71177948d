"""Image features, computed once where the image tower is not tuned."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from depthub.backbone import Backbone
from depthub.data.dataset import Examples
from depthub.data.views import Transform, Views

BATCH = 100  # images encoded at a time


class ImageFeatures:
    """What one backbone sees in the images of one data set, under the test transform; kept for the runs that follow in this process."""

    def __init__(self, backbone: Backbone, transform: Transform) -> None:
        self.backbone, self.transform = backbone, transform
        self._known: dict[str, Tensor] = {}

    def of(self, examples: Examples, workers: int = 0) -> TensorDataset:
        """Features (N, d), not normalised, with labels (N,), on the CPU; images not seen before are encoded now."""
        unseen = [row for row, name in enumerate(examples.ids) if name not in self._known]
        if unseen:
            missing = examples.take(unseen)
            loader = DataLoader(Views(missing, self.transform), batch_size=BATCH, num_workers=workers)
            self._known.update(zip(missing.ids, self._encode(pixels for pixels, _ in loader), strict=True))
        return TensorDataset(torch.stack([self._known[name] for name in examples.ids]), torch.tensor(examples.labels))

    def _encode(self, batches: Iterable[Tensor]) -> Iterable[Tensor]:
        device = self.backbone.scale.device
        for pixels in batches:
            yield from self.backbone.encode_image(pixels.to(device)).cpu()
