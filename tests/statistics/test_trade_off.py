"""The trade-off of trained against new classes, against one loop over all biases."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from depthub.errors import DepthubError
from depthub.statistics.trade_off import Leads, TradeOff, curve, trade_off


def brute_force(base: Leads, new: Leads) -> TradeOff:
    """Every bias between two neighbouring leads, one image after the other."""
    cuts = sorted({*base.lead.tolist(), *new.lead.tolist()})
    biases = [cuts[0] - 1, *((a + b) / 2 for a, b in pairwise(cuts)), cuts[-1] + 1]
    points = []
    for bias in biases:
        on_base = sum(lead > bias and right for lead, right in zip(base.lead, base.right, strict=True)) / len(base.lead)
        on_new = sum(lead <= bias and right for lead, right in zip(new.lead, new.right, strict=True)) / len(new.lead)
        points.append((on_base, on_new))
    area = sum((x1 - x0) * (y0 + y1) / 2 for (y0, x0), (y1, x1) in pairwise(points))
    harmonic = [200 * x * y / (x + y) if x and y else 0.0 for x, y in points]
    best = max(harmonic)
    return TradeOff(area, best, min((b for b, h in zip(biases, harmonic, strict=True) if h == best), key=abs) if best else 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_a_loop_over_all_biases_gives(seed: int) -> None:
    generator = np.random.default_rng(seed)
    sides = []
    for shift in (1.0, -1.0):
        images = int(generator.integers(1, 40))
        lead = generator.normal(shift, 1, images)
        sides.append(Leads(lead.round(1) if seed % 2 else lead, generator.random(images) < 0.7))  # odd seeds: equal leads
    expected, computed = brute_force(*sides), trade_off(*sides)
    assert (computed.area, computed.best_h) == pytest.approx((expected.area, expected.best_h), rel=1e-12)
    assert abs(computed.bias) == pytest.approx(abs(expected.bias))
    assert 0 <= computed.area <= 1


def test_a_case_by_hand() -> None:
    """Base images lead by 3 and 1 (the second is wrong), new ones by 2 and -1, both right."""
    base, new = Leads(np.array([3.0, 1.0]), np.array([True, False])), Leads(np.array([2.0, -1.0]), np.array([True, True]))
    cuts, on_base, on_new = curve(base, new)
    assert cuts.tolist() == [-1, 1, 2, 3]
    assert on_base.tolist() == [0.5, 0.5, 0.5, 0.5, 0]
    assert on_new.tolist() == [0, 0.5, 0.5, 1, 1]
    assert trade_off(base, new) == TradeOff(0.5, pytest.approx(200 * 0.5 / 1.5), 2.5)


def test_the_ends() -> None:
    right, wrong = np.array([True]), np.array([False])
    assert trade_off(Leads(np.array([1.0]), right), Leads(np.array([-1.0]), right)) == TradeOff(1.0, 100.0, 0.0)
    assert trade_off(Leads(np.array([1.0]), right), Leads(np.array([1.0]), right)) == TradeOff(0.5, 0.0, 0.0)  # one tie: no bias parts them
    assert trade_off(Leads(np.array([1.0]), wrong), Leads(np.array([-1.0]), right)) == TradeOff(0.0, 0.0, 0.0)
    for lead in (np.zeros(0), np.array([np.nan])):
        with pytest.raises(DepthubError, match="needs images of trained and of new classes"):
            trade_off(Leads(lead, np.ones(len(lead), bool)), Leads(np.array([1.0]), right))
