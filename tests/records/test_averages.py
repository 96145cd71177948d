"""Averages over seeds and data sets, as protocols declare them."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given, strategies as st

from depthub.errors import DepthubError
from depthub.protocol import Summary
from depthub.statistics.averages import Convention, convention, harmonic, mean, over_data, over_seeds

percents = st.floats(0.01, 100)
PLAIN = Summary("all")
SEEN = Summary("HM", {"HM": ("seen", "unseen")})


def test_h_of_the_published_averages() -> None:
    """Table 1's CoOp row: base 81.50, new 69.77, H 75.18."""
    assert round(harmonic(81.50, 69.77), 2) == 75.18
    assert harmonic(0, 50) == harmonic(0, 0) == 0


@given(st.lists(st.tuples(percents, percents), min_size=1, max_size=8))
def test_the_two_conventions(pairs: list[tuple[float, float]]) -> None:
    rows = [{"seen": a, "unseen": b, "HM": harmonic(a, b)} for a, b in pairs]
    of_means, of_harmonics = (mean(rows, SEEN, how)["HM"] for how in ("harmonic-of-means", "mean-of-harmonics"))
    averages = mean(rows, SEEN)
    assert of_means == harmonic(averages["seen"], averages["unseen"])
    assert of_harmonics == pytest.approx(sum(row["HM"] for row in rows) / len(rows))
    assert of_harmonics <= of_means + 1e-9


@given(percents, percents)
def test_a_harmonic_mean_lies_between_its_parts(one: float, other: float) -> None:
    assert min(one, other) - 1e-9 <= harmonic(one, other) <= max(one, other) + 1e-9


def test_only_what_is_declared_is_harmonic() -> None:
    rows = [{"base": 10.0, "new": 30.0, "H": 1.0}, {"base": 30.0, "new": 10.0, "H": 1.0}]
    assert mean(rows, Summary("H"))["H"] == 1.0
    assert convention(rows[0], Summary("H")) == dict.fromkeys(rows[0], "mean")
    how = cast("Convention", "mean-of-harmonics")
    assert convention(["seen", "HM"], SEEN, how) == {"seen": "mean", "HM": how}


def test_a_harmonic_score_of_a_harmonic_score() -> None:
    nested = Summary("G", {"G": ("HM", "third"), "HM": ("seen", "unseen")})
    rows = [
        {"seen": 10.0, "unseen": 30.0, "HM": 15.0, "third": 20.0, "G": 17.1},
        {"seen": 30.0, "unseen": 10.0, "HM": 15.0, "third": 60.0, "G": 24.0},
    ]
    averages = mean(rows, nested)
    assert averages == {"seen": 20.0, "unseen": 20.0, "HM": 20.0, "third": 40.0, "G": harmonic(20.0, 40.0)}
    deep = Summary("s40", {f"s{n + 1}": (f"s{n}", f"s{n}") for n in range(40)})  # a file can say so: no work beyond its length
    assert mean([{f"s{n}": 50.0 for n in range(41)}], deep)["s40"] == 50.0


@pytest.mark.parametrize("harmonics", [{"a": ("a", "b")}, {"a": ("b", "c"), "b": ("a", "c")}])
def test_harmonic_scores_of_one_another_are_refused(harmonics: dict[str, tuple[str, str]]) -> None:
    with pytest.raises(DepthubError, match="each is declared a harmonic mean of the next") as caught:
        mean([{"a": 1.0, "b": 1.0, "c": 1.0}], Summary("a", harmonics))
    assert "\n" not in str(caught.value)


def test_spread_over_seeds() -> None:
    assert over_seeds({1: {"all": 50.0}}, PLAIN)["all"].std is None
    average = over_seeds({1: {"all": 50.0}, 2: {"all": 52.0}}, PLAIN)["all"]
    assert (average.mean, round(average.std or 0, 4), average.n_seeds) == (51.0, 1.4142, 2)


def test_the_spread_of_a_harmonic_score_is_that_of_its_values() -> None:
    seeds = {1: {"seen": 10.0, "unseen": 10.0, "HM": 10.0}, 2: {"seen": 10.0, "unseen": 30.0, "HM": 15.0}}
    average = over_seeds(seeds, SEEN)["HM"]
    assert (average.mean, round(average.std or 0, 4)) == (harmonic(10, 20), 3.5355)


@given(st.lists(st.lists(percents, min_size=3, max_size=3), min_size=1, max_size=5))
def test_averages_over_data_sets_first_or_over_seeds_first(table: list[list[float]]) -> None:
    cells = {str(i): {seed: {"all": value} for seed, value in enumerate(values)} for i, values in enumerate(table)}
    average = over_data(cells, PLAIN)["all"]
    by_seed = [sum(values[seed] for values in table) / len(table) for seed in range(3)]
    assert average.mean == pytest.approx(sum(by_seed) / 3)
    assert average.n_seeds == 3
