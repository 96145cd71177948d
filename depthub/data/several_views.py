"""Several views of each image side by side, for methods that compare them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from depthub.data.views import PerEpoch


class TogetherViews(PerEpoch):
    """V data sets of the same N images as one, whose items are (V, ...) with the label.

    Args:
        views: the data sets.
    """

    def __init__(self, views: Sequence[Any]) -> None:
        self.views = views

    @property
    def epoch(self) -> int:
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        for view in self.views:
            if isinstance(view, PerEpoch):
                view.epoch = epoch

    def __len__(self) -> int:
        return len(self.views[0])

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        items = [view[i] for view in self.views]
        return torch.stack([image for image, _ in items]), items[0][1]


class AtEpochs(TogetherViews):
    """The items of a data set in its first V epochs, (V, ...) each; all alike where they do not change from epoch to epoch.

    Args:
        images: the data set.
        epochs: V.
    """

    def __init__(self, images: Any, epochs: int) -> None:
        super().__init__([images])
        rows = []
        for number in range(epochs if isinstance(images, PerEpoch) else 1):
            self.epoch = number
            rows.append(torch.stack([images[i][0] for i in range(len(images))]))
        self._rows = torch.stack(rows, dim=1).expand(-1, epochs, *rows[0].shape[1:])

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self._rows[i], int(self.views[0][i][1])
