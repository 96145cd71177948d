"""Channel importance: how much each channel of the joint space helps images to find their class. https://arxiv.org/abs/2309.07439"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthub.errors import DepthubError

EPSILON = 1e-12  # as published: images that are similar to no class count 0


def channel_importance(image: NDArray[Any], text: NDArray[Any], labels: NDArray[Any], window: int = 1) -> NDArray[Any]:
    """Equation 3 of the paper, for windows of one channel or of several neighbours.

        CI_r = mean over images j of  s_{j,y_j} / (mean over classes i of s_{j,i} + 1e-12)
        s_{j,i} = max(0, sum over channels q = r ... r + window - 1 of image_{j,q} * text_{i,q})

    Channels are counted modulo d, so that a window at the end goes on at the beginning. 1 is average: a channel that tells no class apart.

    Args:
        image: features of N images, (N, d), L2-normalised over all channels.
        text: features of M classes, (M, d), likewise.
        labels: the images' own classes, (N,), integers below M.
        window: 1 as in the paper, 64 as in the published script.

    Returns:
        (d,), no unit; computed in the features' own precision.

    Raises:
        DepthubError: for shapes that do not belong together, no images, labels without a class, or a window of no or too many channels.
    """
    if image.ndim != 2 or text.ndim != 2 or image.shape[1] != text.shape[1] or labels.shape != image.shape[:1]:
        raise DepthubError(f"channel importance: shapes {image.shape}, {text.shape}, {labels.shape}, expected (N, d), (M, d), (N,)")
    if not len(labels) or not np.issubdtype(labels.dtype, np.integer) or not (labels.min() >= 0 and labels.max() < len(text)):
        raise DepthubError(f"channel importance: labels have to be integers from 0 to {len(text) - 1}, one at least")
    if not 1 <= window <= image.shape[1]:
        raise DepthubError(f"channel importance: window is {window}, expected 1 to {image.shape[1]}, the number of channels")
    # image by image: all products at once would be N x M x d numbers
    ratios = (_ratio(text * features, label, window) for features, label in zip(image, labels, strict=True))
    total: NDArray[Any] = sum(ratios, np.zeros(image.shape[1], image.dtype))
    return total / len(image)


def _ratio(products: NDArray[Any], label: int, window: int) -> NDArray[Any]:
    """One image's similarity to its own class over the mean of all, (d,); products are (M, d)."""
    circle = np.concatenate([products, products[:, : window - 1]], axis=1)
    similar = np.maximum(np.lib.stride_tricks.sliding_window_view(circle, window, axis=1).sum(axis=-1), 0)
    ratio: NDArray[Any] = similar[label] / (similar.mean(axis=0) + EPSILON)
    return ratio
