"""Image features, computed once where the image tower is not tuned."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from depthub.backbone import Backbone
from depthub.data.dataset import Examples
from depthub.data.views import Transform, Views

BATCH = 100  # images encoded at a time


class ImageFeatures:
    """What one backbone sees in images under the test transform; kept for the runs that follow in this process."""

    def __init__(self, backbone: Backbone, transform: Transform) -> None:
        self.backbone, self.transform = backbone, transform
        self._known: dict[tuple[Hashable, str], Tensor] = {}  # an id names an image together with what reads it

    def of(self, examples: Examples, workers: int = 0) -> TensorDataset:
        """Features (N, d), not normalised, with labels (N,), on the CPU; images not seen before are encoded now."""
        keys = [(examples.read, name) for name in examples.ids]
        unseen = [row for row, key in enumerate(keys) if key not in self._known]
        if unseen:
            missing = examples.take(unseen)
            loader = DataLoader(Views(missing, self.transform), batch_size=BATCH, num_workers=workers)
            self._known.update(zip([keys[row] for row in unseen], self._encode(pixels for pixels, _ in loader), strict=True))
        return TensorDataset(torch.stack([self._known[key] for key in keys]), torch.tensor(examples.labels))

    def _encode(self, batches: Iterable[Tensor]) -> Iterable[Tensor]:
        device = self.backbone.scale.device
        for pixels in batches:
            yield from self.backbone.encode_image(pixels.to(device)).cpu()
