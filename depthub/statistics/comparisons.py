"""Whether two rows differ: paired tests over data sets and over images, and what is left of them when there are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import networkx
import numpy as np
from scipy import stats

from depthub.statistics.table import Array

Key = TypeVar("Key")
MARGIN = 0.5  # points within which two rows count as equal
MOST_GROUPS = 60
ROUNDS = 50_000


@dataclass(frozen=True)
class SignedRank:
    """Probabilities that a row is practically worse than another, equal, or better; they add up to 1."""

    worse: float
    equal: float
    better: float


def wilcoxon(differences: Sequence[float]) -> float:
    """p-value of the two-sided signed-rank test that paired differences are symmetric about 0; 1 if all are 0.

    Args:
        differences: one for each data set.
    """
    values = np.asarray(differences, dtype=float)
    return float(stats.wilcoxon(values).pvalue) if values.any() else 1.0


def mcnemar(only_first: int, only_second: int) -> float:
    """p-value of the exact two-sided test that two runs are right equally often on the same images.

    Args:
        only_first, only_second: images that only one of them classified correctly.
    """
    total = only_first + only_second
    return float(stats.binomtest(only_first, total).pvalue) if total else 1.0


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """p-values corrected for their number (Holm 1979): of all that are below a level, the chance of a single false one is below it."""
    corrected: dict[Key, float] = {}
    highest = 0.0
    for done, (key, value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (len(p_values) - done) * value))
        corrected[key] = highest
    return {key: corrected[key] for key in p_values}


def bayesian_signed_rank(differences: Sequence[float], margin: float = MARGIN, *, rounds: int = ROUNDS, seed: int = 0) -> SignedRank:
    """The Bayesian signed-rank test with a region of practical equivalence (Benavoli et al. 2017, JMLR 18(77)).

    The prior is a Dirichlet process with strength 0.5 at a difference of 0.

    Args:
        differences: one for each data set, in points.
        margin: differences within it count as equal.
        rounds: of the sampling.
        seed: of the generator.
    """
    values = np.concatenate([[0.0], np.asarray(differences, dtype=float)])
    weights = np.random.default_rng(seed).dirichlet([0.5, *[1.0] * (len(values) - 1)], size=rounds)
    sums = values[:, None] + values[None, :]
    worse_half, better_half = (np.heaviside(sign * sums - 2 * margin, 0.5) for sign in (-1, 1))  # half at the margin itself
    regions = np.stack([worse_half, 1 - worse_half - better_half, better_half])
    masses = np.einsum("ri,kij,rj->rk", weights, regions, weights, optimize=True)
    # as the test is defined, a round counts for the region with the greatest mass; equal ones share it
    greatest = masses == masses.max(axis=1, keepdims=True)
    worse, equal, better = (greatest / greatest.sum(axis=1, keepdims=True)).mean(axis=0)
    return SignedRank(float(worse), float(equal), float(better))


def groups(different: Array, most: int = MOST_GROUPS) -> list[list[int]] | None:
    """Maximal sets of rows of which no two can be told apart. Not tiers: if A and B, and B and C are alike but not A and C, B is in both.

    Args:
        different: (M, M), whether two rows can be told apart.
        most: number of sets; many rows can have more than anybody reads.

    Returns:
        Places of the rows, each set and the list in ascending order; None if there are more sets than `most`.
    """
    graph: Any = networkx.Graph()
    graph.add_nodes_from(range(len(different)))
    graph.add_edges_from((row, other) for row in range(len(different)) for other in range(row) if not different[row, other])
    cliques = [sorted(clique) for clique in islice(networkx.find_cliques(graph), most + 1)]
    return sorted(cliques) if len(cliques) <= most else None


@dataclass(frozen=True)
class Ranks:
    """Mean ranks over data sets.

    Args:
        mean: (M,) rank of each row, from 1; equal scores share theirs.
        p_value: of Friedman's test that all rows are alike; nan with fewer than three rows.
        critical_difference: of mean ranks, at 5 % for all pairs together (Nemenyi; Demsar 2006, JMLR 7, equation 6).
    """

    mean: Array
    p_value: float
    critical_difference: float


def mean_ranks(per_set: Array) -> Ranks:
    """Friedman's and Nemenyi's view of a table.

    Args:
        per_set: (M, D) a score of each row on each data set, higher is better; M and D at least 2.
    """
    rows, sets = per_set.shape
    ranks = stats.rankdata(-per_set, axis=0).mean(axis=1)
    p_value = float(stats.friedmanchisquare(*per_set).pvalue) if rows > 2 else float("nan")
    quantile = float(stats.studentized_range.ppf(0.95, rows, np.inf)) / np.sqrt(2)
    return Ranks(ranks, p_value, float(quantile * np.sqrt(rows * (rows + 1) / (6 * sets))))


def reliability(per_cell: Array) -> Array:
    """(D,): for each data set the mean rank correlation (Kendall's tau-b) of the rows' order between two seeds: 1 if every seed orders them
    alike, 0 if by chance. nan with one seed or one row, and where all rows are equal.

    Args:
        per_cell: (M, D, S) a score of every run.
    """
    _, sets, seeds = per_cell.shape
    pairs = [(one, other) for one in range(seeds) for other in range(one)]
    taus = [[stats.kendalltau(per_cell[:, data, one], per_cell[:, data, other]).statistic for one, other in pairs] for data in range(sets)]
    return np.array([np.mean(of_set) if of_set else np.nan for of_set in taus], dtype=float)
