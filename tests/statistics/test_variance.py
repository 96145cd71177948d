"""Components of variance by hand and against scipy, how often their intervals cover the truth, and what a difference would need."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from depthub.errors import DepthubError
from depthub.statistics.resolution import Components
from depthub.statistics.table import Array
from depthub.statistics.variance import VarianceComponent, VarianceComponents, published_cut


def drawn(generator: np.random.Generator, shape: tuple[int, int, int], sds: tuple[float, float, float], mean: float = 0.0) -> Array:
    """A table of the model, (D, C, S)."""
    sets, cuts, seeds = shape
    return (
        mean
        + generator.normal(0, sds[0], (sets, 1, 1))
        + generator.normal(0, sds[1], (sets, cuts, 1))
        + generator.normal(0, sds[2], (sets, cuts, seeds))
    )


def of_sds(sds: tuple[float, float, float], shape: tuple[int, int, int] = (7, 10, 2)) -> VarianceComponents:
    """Components as if they were known."""
    parts = [VarianceComponent(sd**2, 0.0, 0.0, 0.0, False) for sd in sds]
    return VarianceComponents(0.0, parts[0], parts[1], parts[2], *shape)


def test_components_by_hand() -> None:
    """Seeds 1 point around their cut: mean square 2. Cut means 10, 14 and 20, 28: variances 8 and 32, mean square 2 x 20 = 40. Set means 12
    and 24: variance 72, mean square 4 x 72 = 288."""
    values = np.array([[[9.0, 11.0], [13.0, 15.0]], [[19.0, 21.0], [27.0, 29.0]]])
    parts = VarianceComponents.of(values)
    assert parts.mean == pytest.approx(18)
    variances = [part.variance for part in (parts.of_sets, parts.of_cuts, parts.of_seeds)]
    assert variances == pytest.approx([(288 - 40) / 4, (40 - 2) / 2, 2])
    assert [part.share for part in (parts.of_sets, parts.of_cuts, parts.of_seeds)] == pytest.approx([6200 / 83, 1900 / 83, 200 / 83])
    assert parts.of_cuts.sd == pytest.approx(sqrt(19))
    assert parts.of_seeds.low, parts.of_seeds.high == pytest.approx((8 / stats.chi2.ppf(0.975, 4), 8 / stats.chi2.ppf(0.025, 4)))
    assert parts.of_seeds.sd_interval == pytest.approx((sqrt(parts.of_seeds.low), sqrt(parts.of_seeds.high)))
    assert parts.notes == ()


def test_the_sum_of_squares_is_taken_apart_completely() -> None:
    """Mean squares times degrees of freedom are all deviations from the mean: the identity of every analysis of variance."""
    values = drawn(np.random.default_rng(1), (5, 4, 3), (2, 1, 1))
    parts = VarianceComponents.of(values)
    seed = parts.of_seeds.variance
    cut = seed + 3 * parts.of_cuts.variance
    sets = cut + 12 * parts.of_sets.variance
    assert 40 * seed + 15 * cut + 4 * sets == pytest.approx(((values - values.mean()) ** 2).sum())


def test_less_than_chance_is_0_and_said() -> None:
    values = np.array([[[0.0, 4.0], [1.0, 3.0]], [[1.0, 3.0], [0.0, 4.0]]])  # all cuts and data sets have the mean 2
    parts = VarianceComponents.of(values)
    assert (parts.of_sets.variance, parts.of_cuts.variance, parts.of_seeds.share) == (0, 0, 100)
    assert not parts.of_sets.truncated  # 0 - 0
    assert parts.of_cuts.truncated
    assert parts.of_cuts.low == 0 <= parts.of_cuts.high
    assert [note[:42] for note in parts.notes] == ["the variance of class cuts is estimated be"]
    still = VarianceComponents.of(np.full((2, 2, 2), 7.0))
    assert (still.of_sets.share, still.of_seeds.variance, still.cut_mean_sd) == (0, 0, 0)


@pytest.mark.parametrize("scale", [0.999, 1.001])
def test_an_interval_leaves_0_out_where_the_f_test_decides(scale: float) -> None:
    """The lower end is above 0 exactly where the two mean squares differ at 2.5 % on one side."""
    generator = np.random.default_rng(2)
    noise = generator.normal(size=(3, 4, 2))
    noise -= noise.mean(axis=2, keepdims=True)
    cuts = generator.normal(size=(3, 4, 1))
    cuts -= cuts.mean(axis=1, keepdims=True)
    within, between = (noise**2).sum() / 12, 2 * (cuts**2).sum() / 9
    critical = stats.f.ppf(0.975, 9, 12) * within / between
    assert (VarianceComponents.of(noise + cuts * sqrt(scale * critical)).of_cuts.low > 0) == (scale > 1)


@pytest.mark.parametrize(
    ("shape", "sds"),
    [((7, 10, 2), (3.0, 1.5, 1.0)), ((3, 4, 2), (1.0, 1.0, 1.0)), ((11, 5, 3), (2.0, 0.3, 1.0)), ((7, 10, 2), (0.0, 0.0, 1.0))],
)
def test_how_often_intervals_cover_the_truth(shape: tuple[int, int, int], sds: tuple[float, float, float]) -> None:
    generator = np.random.default_rng(3)
    covered, estimates = np.zeros(3), np.zeros(3)
    for _ in range(800):
        parts = VarianceComponents.of(drawn(generator, shape, sds))
        three = (parts.of_sets, parts.of_cuts, parts.of_seeds)
        covered += [part.low <= sd**2 <= part.high for part, sd in zip(three, sds, strict=True)]
        estimates += [part.variance for part in three]
    assert (covered / 800 > 0.92).all()
    assert (covered / 800 < 0.99).all()
    if min(sds) >= 1:  # hardly any estimate is below 0
        assert estimates / 800 == pytest.approx(np.square(sds), rel=0.12)


def test_a_higher_confidence_gives_wider_intervals() -> None:
    values = drawn(np.random.default_rng(4), (7, 6, 2), (3, 2, 1))
    wide, narrow = VarianceComponents.of(values, 0.99), VarianceComponents.of(values, 0.8)
    for name in ("of_sets", "of_cuts", "of_seeds"):
        one, other = getattr(wide, name), getattr(narrow, name)
        assert one.low < other.low < other.variance < other.high < one.high


def test_cuts_that_a_point_needs_are_those_of_a_t_test_over_cut_means() -> None:
    """The averages of C cuts are as the means of C data sets in the paired t test of a board, whose own test stands on the literature."""
    parts = of_sds((9.0, 2.0, 1.5))
    same = Components(2.0 / sqrt(7), 1.5 / sqrt(7), sets=10, seeds=2)
    assert parts.cuts_needed(0.5) == same.needed(0.5, "new data sets")
    assert parts.cuts_needed(0.5, seeds=1) == Components(2.0 / sqrt(7), 1.5 / sqrt(7), 10, 1).needed(0.5, "new data sets")
    assert parts.cut_mean_sd == pytest.approx(sqrt((4 + 2.25 / 2) / 7))
    assert parts.cuts_needed(1e-4) is None


def test_the_number_of_cuts_has_the_power_that_it_promises() -> None:
    parts, generator = of_sds((9.0, 2.0, 1.5)), np.random.default_rng(5)
    power = {}
    needed = parts.cuts_needed(0.8)
    assert needed is not None
    for cuts in (needed, needed // 2):
        tables = (drawn(generator, (7, cuts, 2), (0.0, 2.0, 1.5), mean=0.8) for _ in range(2000))  # the same data sets, whose mean is 0.8
        power[cuts] = float(np.mean([stats.ttest_1samp(table.mean(axis=(0, 2)), 0).pvalue < 0.05 for table in tables]))
    assert 0.77 < power[needed] < 0.9  # a whole number of cuts gives a little more than 80 %
    assert power[needed // 2] < 0.7


def test_seeds_alone_never_show_what_the_cuts_hide() -> None:
    hidden = of_sds((9.0, 2.0, 1.5))
    assert hidden.seeds_needed(1.0) is None  # 2 / sqrt(7) points remain, and 2.8 times as many would be seen
    assert hidden.seeds_needed(2.3) is not None
    assert hidden.seeds_needed(1.0, cuts=6) is not None
    for point in (0.5, 1.0):
        alike = of_sds((9.0, 0.0, 1.5))
        assert alike.seeds_needed(point) == Components(9.0, 1.5, sets=7, seeds=2).needed(point, "these data sets")


def test_the_published_cut_among_shuffled_ones_by_hand() -> None:
    shuffled = np.zeros((2, 4, 1)) + np.array([1.0, 2.0, 3.0, 4.0])[None, :, None] + np.array([-1.0, 1.0])[:, None, None]
    place = published_cut(np.array([[4.0], [3.0]]), shuffled)  # 3.5 among 1, 2, 3, 4
    assert place.shuffled == pytest.approx([1, 2, 3, 4])
    assert (place.value, place.rank, place.percentile, place.p_value) == pytest.approx((3.5, 2, 75, 4 / 5))
    highest = published_cut(np.array([[9.0], [9.0]]), shuffled)
    assert (highest.rank, highest.percentile, highest.p_value) == pytest.approx((1, 100, 2 / 5))
    lowest = published_cut(-np.array([[9.0], [9.0]]), shuffled)
    assert (lowest.rank, lowest.percentile, lowest.p_value) == pytest.approx((5, 0, 2 / 5))
    tied = published_cut(np.array([[3.0], [3.0]]), shuffled)
    assert (tied.rank, tied.percentile, tied.p_value) == pytest.approx((3, 62.5, 1))


def test_a_cut_like_the_others_is_rarely_called_extreme() -> None:
    """The p-value is at most 10 % in at most 10 % of draws, also of a skewed distribution: it needs none."""
    generator = np.random.default_rng(6)
    extreme = []
    for _ in range(3000):
        values = generator.exponential(size=(3, 20, 2)) + generator.exponential(size=(3, 20, 1))
        extreme.append(published_cut(values[:, 0], values[:, 1:]).p_value <= 0.1)
    assert np.mean(extreme) == pytest.approx(0.1, abs=0.016)  # 19 shuffled cuts: the ranks 1 and 20


@pytest.mark.parametrize("shape", [(1, 2, 2), (2, 1, 2), (2, 2, 1), (2, 2)])
def test_what_cannot_be_taken_apart(shape: tuple[int, ...]) -> None:
    with pytest.raises(DepthubError, match="expected \\(data sets, cuts, seeds\\) with at least 2 of each"):
        VarianceComponents.of(np.zeros(shape))


def test_what_is_refused() -> None:
    with pytest.raises(DepthubError, match="have to be finite; a run that is missing"):
        VarianceComponents.of(np.where(np.arange(8).reshape(2, 2, 2), 1.0, np.nan))
    with pytest.raises(DepthubError, match="point is 0, expected not 0, with at least 1 cut and seed"):
        of_sds((1, 1, 1)).cuts_needed(0)
    with pytest.raises(DepthubError, match="with at least 1 cut and seed, not 0"):
        of_sds((1, 1, 1)).seeds_needed(1, cuts=0)
    for published, shuffled in (((2, 1), (2, 4, 2)), ((2, 1), (3, 4, 1)), ((2, 1), (2, 1)), ((2, 1), (2, 0, 1))):
        with pytest.raises(DepthubError, match=r"expected \(D, S\) and \(D, C, S\)"):
            published_cut(np.zeros(published), np.zeros(shuffled))
    with pytest.raises(DepthubError, match="the numbers have to be finite"):
        published_cut(np.full((2, 1), np.inf), np.zeros((2, 3, 1)))
