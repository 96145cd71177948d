"""Intervals by resampling: how often they cover the truth on synthetic boards, and how often equal rows are called different."""

from __future__ import annotations

import numpy as np
import pytest

from depthub.errors import DepthubError
from depthub.statistics.bootstrap import Draws, Question, bootstrap
from depthub.statistics.table import Array, Table

BOARDS = 400  # synthetic ones; the share of a true 95 % is then within 2.2 points twice out of three times
SETS, SEEDS = 11, 3
SET_SD, SEED_SD = 2.0, 1.0  # of differences between rows


def synthetic(generator: np.random.Generator, effects: list[float], sets: Array | None = None) -> Table:
    """A board of rows whose true averages are 70 and their effects; `sets` (M, D) fixes the effects of data sets."""
    level = generator.normal(0, 10, (1, SETS, 1))
    effects_of_sets = generator.normal(0, SET_SD, (len(effects), SETS)) if sets is None else sets
    noise = generator.normal(0, SEED_SD, (len(effects), SETS, SEEDS))
    scores = 70 + np.array(effects)[:, None, None] + level + effects_of_sets[:, :, None] + noise
    return Table([str(effect) for effect in effects], [str(i) for i in range(SETS)], {"top1": scores}, {})


@pytest.mark.parametrize("question", ["new data sets", "these data sets"])
def test_intervals_cover_and_equal_rows_are_seldom_different(question: Question) -> None:
    generator = np.random.default_rng(1)
    covered = different = 0
    for _ in range(BOARDS):
        effects_of_sets = None if question == "new data sets" else generator.normal(0, SET_SD, (3, SETS))
        table = synthetic(generator, [0.0, 0.0, 1.5], effects_of_sets)
        shift = 0.0 if effects_of_sets is None else float((effects_of_sets[2] - effects_of_sets[0]).mean())
        draws = bootstrap(table, "top1", question, rounds=400, seed=int(generator.integers(10**6)))
        low, high = draws.difference(2, 0)
        covered += low <= 1.5 + shift <= high
        low, high = draws.difference(1, 0)
        different += not low <= (0.0 if effects_of_sets is None else float((effects_of_sets[1] - effects_of_sets[0]).mean())) <= high
    assert 0.92 <= covered / BOARDS <= 0.98
    assert different / BOARDS <= 0.08


def test_a_harmonic_score_is_made_of_resampled_averages() -> None:
    generator = np.random.default_rng(2)
    base, new = (generator.uniform(50, 90, (2, SETS, SEEDS)) for _ in range(2))
    table = Table("AB", [str(i) for i in range(SETS)], {"base": base, "new": new}, {"H": ("base", "new")})
    draws = bootstrap(table, "H", "new data sets", rounds=2000)
    assert draws.observed == pytest.approx(table.average("H"))
    assert draws.rounds.mean(axis=0) == pytest.approx(draws.observed, abs=0.3)
    low, high = draws.interval()[0]
    assert low < draws.observed[0] < high
    again = bootstrap(table, "H", "new data sets", rounds=2000)
    assert (again.rounds == draws.rounds).all()  # the same numbers on every machine


def test_ranks_and_the_best() -> None:
    generator = np.random.default_rng(3)
    draws = bootstrap(synthetic(generator, [0.0, 0.2, 9.0]), "top1", "new data sets", rounds=1000)
    assert draws.rank_interval().tolist() == [[2, 3], [2, 3], [1, 1]]
    assert draws.best()[2] == 1
    assert draws.best().sum() == pytest.approx(1)
    assert draws.different().tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 0]]
    assert abs(draws.optimism()) < 0.4  # one row wins every round: nothing was chosen


def test_the_best_of_many_equal_rows_is_corrected() -> None:
    generator = np.random.default_rng(4)
    excess, corrected = [], []
    for _ in range(60):
        draws = bootstrap(synthetic(generator, [0.0] * 12, np.zeros((12, SETS))), "top1", "these data sets", rounds=300)
        best = float(draws.observed.max() - draws.observed.mean())  # the true averages are equal
        excess.append(best)
        corrected.append(best - draws.optimism())
    assert np.mean(excess) > 0.2
    assert abs(np.mean(corrected)) < np.mean(excess) / 2


def test_one_unit_has_no_interval() -> None:
    table = Table("A", ("tones", "flags"), {"top1": np.full((1, 2, 1), 50.0)}, {})
    with pytest.raises(DepthubError, match="intervals for these data sets need at least 2 of their seeds, not 1"):
        bootstrap(table, "top1", "these data sets")


@pytest.mark.parametrize("rounds", [37, 400, 401, 10_000])
def test_the_short_way_to_what_is_different_is_the_long_way(rounds: int) -> None:
    """Whether an interval leaves 0 out, from counts of rounds, and from its ends."""
    generator = np.random.default_rng(rounds)
    averages = np.round(generator.normal(generator.normal(0, 1.5, 12), 1.0, (rounds, 12)), 1)  # ties, too
    draws = Draws(averages.mean(axis=0), averages)
    long = np.zeros((12, 12))
    for row in range(12):
        for other in range(row):
            low, high = draws.difference(row, other)
            long[row, other] = long[other, row] = low > 0 or high < 0
    assert (draws.different() == long).all()
    assert 0 < long.sum() < 132
