"""Tables of scores: averages as the field makes them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from depthub.errors import DepthubError
from depthub.protocol import Summary
from depthub.statistics import averages
from depthub.statistics.table import Table

H = {"H": ("base", "new")}
BASE = np.array([[[90.0, 80.0], [60.0, 62.0]], [[70.0, 70.0], [0.0, 0.0]]])  # 2 rows, 2 data sets, 2 seeds
NEW = np.array([[[50.0, 52.0], [80.0, 78.0]], [[70.0, 70.0], [0.0, 0.0]]])
TABLE = Table(("A", "B"), ("tones", "flags"), {"base": BASE, "new": NEW}, H)


def test_averages_are_those_of_boards() -> None:
    for place in range(2):
        cells = {
            name: {seed: {"base": BASE[place, data, seed], "new": NEW[place, data, seed], "H": 1.0} for seed in range(2)}
            for data, name in enumerate(TABLE.sets)
        }
        expected = averages.over_data(cells, Summary("H", H))
        for score in ("base", "new", "H"):
            assert TABLE.average(score)[place] == pytest.approx(expected[score].mean)


def test_by_hand() -> None:
    assert TABLE.average("H").tolist() == pytest.approx([2 * 73 * 65 / 138, 35.0])
    assert TABLE.per_set("H")[0].tolist() == pytest.approx([2 * 85 * 51 / 136, 2 * 61 * 79 / 140])
    assert TABLE.per_cell("H")[1].tolist() == [[70.0, 70.0], [0.0, 0.0]]  # 0 of 0 and 0
    assert TABLE.seeds == 2


def test_gaps_are_refused() -> None:
    gap = BASE.copy()
    gap[1, 0, 0] = np.nan
    with pytest.raises(DepthubError, match="'base' has values that are not finite; every row needs every data set and seed"):
        Table(("A", "B"), ("tones", "flags"), {"base": gap}, {})
    with pytest.raises(DepthubError, match=r"expected .* with 1 rows and 2 data sets"):
        Table(("A",), ("tones", "flags"), {"base": BASE}, {})
    with pytest.raises(DepthubError, match=r"no score 'G'; there are base, new, H"):
        TABLE.average("G")
