"""The least difference that a board can tell apart: against published tables, by simulation, and what a claim would need."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from depthub.errors import DepthubError
from depthub.statistics.resolution import Components, board_resolution

PARTS = Components(set_sd=2.0, seed_sd=1.5, sets=11, seeds=3)


def test_components_of_an_analysis_of_variance_by_hand() -> None:
    differences = np.array([[1.0, 3.0], [5.0, 7.0]])  # within: variance 2; set means 2 and 6: variance 8
    parts = Components.of(differences)
    assert (parts.seed_sd, parts.set_sd) == pytest.approx((sqrt(2), sqrt(8 - 2 / 2)))
    assert Components.of(np.array([[0.0, 4.0], [1.0, 3.0]])).set_sd == 0  # less than chance gives


def test_power_of_a_t_test_in_the_literature() -> None:
    """Cohen 1988, table 2.3.5: a paired test sees 0.5 standard deviations with 80 % power from 34 pairs on."""
    parts = Components(set_sd=1.0, seed_sd=0.0, sets=34, seeds=2)
    assert parts.least_difference("new data sets") == pytest.approx(0.5, abs=0.01)
    assert parts.needed(0.5, "new data sets") == 34


@pytest.mark.parametrize("question", ["new data sets", "these data sets"])
def test_the_formula_predicts_the_power_that_is_seen(question: str) -> None:
    generator = np.random.default_rng(5)
    effect = PARTS.least_difference(question)  # type: ignore[arg-type]
    successes = 0
    for _ in range(2000):
        of_sets = generator.normal(0, PARTS.set_sd, 11) if question == "new data sets" else np.zeros(11)
        cells = effect + of_sets[:, None] + generator.normal(0, PARTS.seed_sd, (11, 3))
        if question == "new data sets":
            successes += stats.ttest_1samp(cells.mean(axis=1), 0).pvalue < 0.05
        else:
            error = sqrt(cells.var(axis=1, ddof=1).mean() / 33)
            successes += 2 * stats.t.sf(abs(cells.mean() / error), 22) < 0.05
    assert successes / 2000 == pytest.approx(0.8, abs=0.03)


def test_what_a_claim_would_need() -> None:
    assert PARTS.needed(PARTS.least_difference("new data sets") + 1e-6, "new data sets") == 11
    assert PARTS.needed(PARTS.least_difference("these data sets") + 1e-6, "these data sets") == 3
    fine = PARTS.needed(0.3, "these data sets")
    assert fine
    assert Components(2.0, 1.5, 11, fine).least_difference("these data sets") <= 0.3
    assert Components(2.0, 1.5, 11, fine - 1).least_difference("these data sets") > 0.3
    assert PARTS.needed(1e-4, "new data sets") is None


def test_a_board_has_the_median_of_its_pairs() -> None:
    cells = np.random.default_rng(6).normal(70, 1, (4, 7, 5))
    pairs = [Components.of(cells[i] - cells[j]).least_difference("new data sets") for i in range(4) for j in range(i)]
    assert board_resolution(cells, "new data sets") == pytest.approx(np.median(pairs))


def test_one_seed_has_no_resolution() -> None:
    with pytest.raises(DepthubError, match="needs at least 2 data sets and 2 seeds, not 7 and 1"):
        Components.of(np.zeros((7, 1)))
