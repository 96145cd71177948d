"""The trade-off of trained against new classes in one label space, over a bias on the scores of the trained ones.

Chao et al. 2016, https://arxiv.org/abs/1605.04253: a number subtracted from the scores of the trained classes moves predictions to the new
ones; the area under the curve of both accuracies does not depend on where a method stands on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depthub.errors import DepthubError
from depthub.statistics.table import Array


@dataclass(frozen=True)
class Leads:
    """N images of one side, of trained or of new classes.

    Args:
        lead: the best score among trained classes minus the best among new ones, (N,) float64.
        right: whether the best class of the images' own side is the true one, (N,).
    """

    lead: Array
    right: np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class TradeOff:
    """The curve of both accuracies over all biases, in numbers.

    Args:
        area: under it, 0 to 1.
        best_h: the largest harmonic mean of both accuracies on it, in percent.
        bias: in the middle of the interval of biases that give it, the interval that is nearest to 0; 0 where `best_h` is 0.
    """

    area: float
    best_h: float
    bias: float


def curve(base: Leads, new: Leads) -> tuple[Array, Array, Array]:
    """Accuracies between the biases at which a prediction changes.

    An image goes to the trained classes where its lead is above the bias. Of K different leads there are K + 1 intervals.

    Args:
        base: images of trained classes.
        new: images of new classes.

    Returns:
        The K leads in rising order, and accuracies on base and on new images in each interval, (K + 1,) fractions.

    Raises:
        DepthubError: without images on a side, or for leads that are not finite.
    """
    leads = np.concatenate([base.lead, new.lead]).astype(np.float64)
    if not len(base.lead) or not len(new.lead) or not np.isfinite(leads).all():
        raise DepthubError("a trade-off needs images of trained and of new classes, with finite scores")
    cuts, places = np.unique(leads, return_inverse=True)
    of_base, of_new = places[: len(base.lead)], places[len(base.lead) :]
    lost = np.bincount(of_base[base.right], minlength=len(cuts)).cumsum()
    gained = np.bincount(of_new[new.right], minlength=len(cuts)).cumsum()
    on_base = (lost[-1] - np.append(0, lost)) / len(base.lead)
    return cuts, on_base, np.append(0, gained) / len(new.lead)


def trade_off(base: Leads, new: Leads) -> TradeOff:
    """The area under the curve and its best harmonic mean; as `curve`."""
    cuts, on_base, on_new = curve(base, new)
    area = float((np.diff(on_new) * (on_base[1:] + on_base[:-1]) / 2).sum())
    total = on_base + on_new
    h = 200 * on_base * on_new / np.where(total > 0, total, 1)
    if not h.max() > 0:
        return TradeOff(area, 0.0, 0.0)
    inner = (cuts[1:] + cuts[:-1]) / 2  # at both ends one accuracy is 0
    best = inner[h[1:-1] == h.max()]
    return TradeOff(area, float(h.max()), float(best[np.abs(best).argmin()]))
