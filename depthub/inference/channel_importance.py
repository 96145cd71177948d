"""Channel importance: how much each channel of the joint space helps images to find their class. https://arxiv.org/abs/2309.07439"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthub.errors import DepthubError

EPSILON = 1e-12  # as published: images that are similar to no class count 0


def importance(image: NDArray[Any], text: NDArray[Any], labels: NDArray[Any], window: int = 1) -> NDArray[Any]:
    """Equation 3 of the paper, for windows of one channel or of several neighbours.

        CI_r = mean over images j of  s_{j,y_j} / (mean over classes i of s_{j,i} + 1e-12)
        s_{j,i} = max(0, sum over channels q = r ... r + window - 1 of image_{j,q} * text_{i,q})

    Channels are counted modulo d, so that a window at the end goes on at the beginning. 1 is average: a channel that tells no class apart.

    Args:
        image: features of N images, (N, d), L2-normalised over all channels.
        text: features of M classes, (M, d), or for each image its own, (N, M, d), likewise.
        labels: the images' own classes, (N,), integers below M.
        window: 1 as in the paper, 64 as in the published script.

    Returns:
        (d,), no unit; computed in the features' own precision.

    Raises:
        DepthubError: for shapes that do not belong together, no images, labels without a class, or a window of no or too many channels.
    """
    if image.ndim != 2 or labels.shape != image.shape[:1] or not _fits(image, text):
        shapes = f"shapes {image.shape}, {text.shape}, {labels.shape}"
        raise DepthubError(f"channel importance: {shapes}, expected (N, d), (M, d) or (N, M, d), (N,)")
    n_classes, channels = text.shape[-2:]
    if not len(labels) or not np.issubdtype(labels.dtype, np.integer) or not (labels.min() >= 0 and labels.max() < n_classes):
        raise DepthubError(f"channel importance: labels have to be integers from 0 to {n_classes - 1}, one at least")
    check_window(window, channels)
    # image by image: all products at once would be N x M x d numbers
    texts = text if text.ndim == 3 else np.broadcast_to(text, (len(image), n_classes, channels))
    of_images = (_ratio(classes * features, label, window) for features, classes, label in zip(image, texts, labels, strict=True))
    total: NDArray[Any] = sum(of_images, np.zeros(channels, image.dtype))
    return total / len(image)


def check_window(window: int, channels: int) -> None:
    """Refuse a window.

    Raises:
        DepthubError: unless it has 1 to `channels` channels.
    """
    if not 1 <= window <= channels:
        raise DepthubError(f"channel importance: window is {window}, expected 1 to {channels}, the number of channels")


@dataclass(frozen=True)
class Contrast:
    """The importance of the same d channels to two tasks.

    Args:
        greater: channels that are more important to the first, in percent of all.
        median_ratio: of the first over the second; channels that matter to neither have no ratio. Infinite where most matter to the first
            alone, not a number without any ratio.
        correlation: Pearson's, over channels; not a number where all channels are equally important to one of the tasks.
    """

    greater: float
    median_ratio: float
    correlation: float

    @classmethod
    def of(cls, one: NDArray[Any], other: NDArray[Any]) -> Contrast:
        """Compare two tasks, (d,) each."""
        deviations = [values - values.mean() for values in (one, other)]
        norms = np.sqrt([float(values @ values) for values in deviations]).prod()
        shared = ratios(one, other)
        return cls(
            100 * float((one > other).mean()),
            float(np.median(shared)) if len(shared) else float("nan"),
            float(deviations[0] @ deviations[1] / norms) if norms > 0 else float("nan"),
        )


def ratios(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """`one` over `other`, (d,) each, for the channels that matter to either; infinite where they matter to the first alone."""
    either = (one > 0) | (other > 0)
    with np.errstate(divide="ignore"):
        quotients: NDArray[Any] = one[either] / other[either]
    return quotients


def _fits(image: NDArray[Any], text: NDArray[Any]) -> bool:
    """Whether text features have the images' channels, and one set of classes for all images or one for each."""
    return text.ndim in (2, 3) and text.shape[-1] == image.shape[1] and (text.ndim == 2 or len(text) == len(image))


def _ratio(products: NDArray[Any], label: int, window: int) -> NDArray[Any]:
    """One image's similarity to its own class over the mean of all, (d,); products are (M, d)."""
    similar = np.maximum(_window_sums(products, window), 0)
    ratio: NDArray[Any] = similar[label] / (similar.mean(axis=0) + EPSILON)
    return ratio


def _window_sums(products: NDArray[Any], window: int) -> NDArray[Any]:
    """Sums over the channels r ... r + window - 1 for every r, modulo d; (M, d).

    By doubling: a sum over 64 channels is two over 32, one over 65 two over 32 and a channel.
    """
    if window == 1:
        return products
    half = window // 2
    sums = _window_sums(products, half)
    both: NDArray[Any] = sums + np.roll(sums, -half, axis=1)
    return both + np.roll(products, -2 * half, axis=1) if window % 2 else both
