"""Tests between rows, by hand and beside other implementations."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from scipy import stats

from depthub.statistics.comparisons import bayesian_signed_rank, groups, holm, mcnemar, mean_ranks, reliability, wilcoxon

# differences of two rows on 11 data sets, and what baycomp 1.0.3 (SignedRankTest.probs with 500,000 samples) gives for them
DIFFERENCES = [1.2, 0.3, -0.4, 2.1, 0.9, 0.1, 1.7, -0.2, 0.8, 3.0, 0.6]
BAYCOMP = (0.0, 0.163, 0.837)


def test_wilcoxon_by_hand() -> None:
    """Of 2^5 signs of the ranks 1 to 5, those with a sum of the negative ranks of at most 1, twice."""
    values = [1.0, 2.0, 3.0, 4.0, -0.5]
    sums = [sum(rank for rank, sign in zip(range(1, 6), signs, strict=True) if sign) for signs in product((0, 1), repeat=5)]
    assert wilcoxon(values) == pytest.approx(2 * sum(total <= 1 for total in sums) / 32)
    assert wilcoxon([0.0, 0.0]) == 1


def test_mcnemar_by_hand() -> None:
    assert mcnemar(1, 7) == pytest.approx(2 * sum(comb(8, i) for i in (0, 1)) / 2**8)
    assert mcnemar(0, 0) == 1


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}


def test_holm_holds_its_level() -> None:
    generator = np.random.default_rng(0)
    false = sum(min(holm(dict(enumerate(p))).values()) < 0.05 for p in generator.uniform(size=(2000, 10)))
    assert false / 2000 <= 0.065


def test_the_bayesian_signed_rank_test_as_others_compute_it() -> None:
    result = bayesian_signed_rank(DIFFERENCES, 0.5, rounds=100_000)
    assert (result.worse, result.equal, result.better) == pytest.approx(BAYCOMP, abs=0.005)
    assert bayesian_signed_rank([3.0] * 11).better > 0.999
    assert bayesian_signed_rank([0.1] * 11).equal > 0.999
    assert bayesian_signed_rank([-3.0] * 11).worse > 0.999


def test_groups_are_maximal_and_may_overlap() -> None:
    different = np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]])  # only the first and the last can be told apart
    assert groups(different) == [[0, 1], [1, 2]]
    assert groups(np.zeros((3, 3))) == [[0, 1, 2]]
    assert groups(np.ones((2, 2)) - np.eye(2)) == [[0], [1]]


def test_reliability_is_the_agreement_of_seeds() -> None:
    same, reversed_order = [[1, 1], [2, 2], [3, 3]], [[1, 3], [2, 2], [3, 1]]
    cells = np.stack([np.array(same, float), np.array(reversed_order, float)], axis=1)
    assert reliability(cells).tolist() == pytest.approx([1, -1])
    three = np.random.default_rng(0).normal(size=(6, 1, 3))
    pairs = [stats.kendalltau(three[:, 0, i], three[:, 0, j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert reliability(three)[0] == pytest.approx(np.mean(pairs))
    assert np.isnan(reliability(cells[:, :, :1])).all()


def test_mean_ranks_and_the_critical_difference_by_hand() -> None:
    """Three rows on two data sets: ranks 1, 2, 3 and 2, 1, 3. Of four rows on 14 sets the difference is 1.25 (Demsar 2006)."""
    ranks = mean_ranks(np.array([[90.0, 80.0], [85.0, 82.0], [70.0, 60.0]]))
    assert ranks.mean.tolist() == [1.5, 1.5, 3.0]
    assert ranks.p_value == pytest.approx(stats.friedmanchisquare([90, 80], [85, 82], [70, 60]).pvalue)
    assert mean_ranks(np.arange(56.0).reshape(4, 14)).critical_difference == pytest.approx(1.25, abs=0.005)
    assert np.isnan(mean_ranks(np.array([[1.0, 2.0], [2.0, 1.0]])).p_value)


def test_too_many_groups_are_none() -> None:
    """Pairs of rows that can be told apart from one another alone: every choice of one row of each pair is a group."""
    apart = np.kron(np.eye(7), np.array([[0, 1], [1, 0]]))
    assert groups(apart, most=128) is not None
    assert groups(apart, most=127) is None
