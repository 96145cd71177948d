"""Differences from print and their spread, by hand."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import pytest

from depthub.literature.printed import Printed
from depthub.paper.cells import Cells, printed_of, table_of
from depthub.paper.exhibit import ExhibitRow, paper
from depthub.paper.gains import gains
from depthub.paper.grids import Grid, difference, in_three_lines
from depthub.protocol import Count, Summary
from depthub.records.result import RunResult
from depthub.spec import RunSpec

SUMMARY = Summary("H", {"H": ("base", "new")})
ROW = ExhibitRow("row", {}, "row in print")
T_2, T_1 = 4.302653, 12.706205  # 97.5 % quantiles of t with 2 and 1 degrees of freedom


def run(base: float, new: float) -> RunResult:
    counts = {"base": Count(round(base * 10), 1000), "new": Count(round(new * 10), 1000)}
    return RunResult(RunSpec(), counts, {"base": base, "new": new, "H": 2 * base * new / (base + new)}, summary=SUMMARY)


def cells(runs: Mapping[str, list[tuple[float, float]]], printed: Mapping[str, Mapping[str, float]], *, same: bool = False) -> Cells:
    by_data = {name: {seed: run(*pair) for seed, pair in enumerate(pairs, 1)} for name, pairs in runs.items()}
    return Cells(ROW, by_data, SUMMARY, printed, same)


def test_the_spread_on_the_same_data_is_over_seeds() -> None:
    row = cells({"a": [(80, 60), (82, 60), (84, 60)]}, {"a": {"base": 84.0}, "average": {"base": 84.0}}, same=True)
    cell = row.on("a", "base")
    assert cell.measured is not None
    assert cell.measured.mean == pytest.approx(82.0)
    assert cell.difference == pytest.approx(-2.0)
    assert cell.half == pytest.approx(T_2 * 2.0 * sqrt(1 / 3 + 1 / 3) + 0.05, rel=1e-6)
    assert cell.spread == "seeds"
    assert cell.is_within
    assert row.average("base").spread == "seeds"


def test_the_spread_of_an_average_over_other_data_is_over_data_sets() -> None:
    printed = {"average": {"base": 60.0}, "x": {"base": 50.0}, "y": {"base": 60.0}, "z": {"base": 70.0}}
    row = cells({"a": [(80, 60), (82, 60)], "b": [(90, 60), (92, 60)]}, printed)
    cell = row.average("base")
    assert cell.difference == pytest.approx(86.0 - 60.0)
    assert cell.half == pytest.approx(T_1 * sqrt(50.0) * sqrt(1 / 2 + 1 / 3), rel=1e-6)  # means 81 and 91
    assert cell.spread == "data sets"
    assert cell.is_within
    assert row.on("a", "base").difference is None, "data set a is not in print"


def test_averages_over_the_data_sets_of_the_print_are_compared_over_seeds_also_where_only_averages_are_printed() -> None:
    pairs = [(80, 60), (82, 60)]
    row = cells(dict.fromkeys(paper().data, pairs), {"average": {"base": 80.0}}, same=True)
    assert row.average("base").spread == "seeds"
    assert cells(dict.fromkeys(paper().data, pairs), {"average": {"base": 80.0}}).average("base").spread == "data sets"
    assert cells(dict.fromkeys(paper().data[1:], pairs), {"average": {"base": 80.0}}, same=True).average("base").spread == "data sets"


def test_one_seed_or_one_data_set_tells_no_spread() -> None:
    row = cells({"a": [(80, 60)]}, {"a": {"base": 84.0}, "average": {"base": 84.0}}, same=True)
    assert row.on("a", "base").is_within is None
    assert cells({"a": [(80, 60)]}, {"average": {"base": 84.0}}).average("base").half is None


def test_h_of_an_average_is_that_of_the_averages() -> None:
    row = cells({"a": [(90, 50)], "b": [(60, 80)]}, {})
    measured = row.average("H").measured
    assert measured is not None
    assert measured.mean == pytest.approx(2 * 75 * 65 / 140)


def test_a_difference_outside_the_spread_is_marked() -> None:
    row = cells({"a": [(80, 60), (80.1, 60), (80.2, 60)]}, {"a": {"base": 84.0}}, same=True)
    assert difference(row.on("a", "base")) == "-3.90!"
    assert difference(row.on("a", "new")) == "–"
    assert list(in_three_lines("row", [row.on("a", "new")])) == [["row", "60.00 ± 0.00"]]


def test_the_printed_numbers_of_a_row() -> None:
    numbers = [
        Printed("6", "row in print", "average", "4", "base", 70.0, 2),
        Printed("6", "row in print", "average", "8", "base", 75.0, 2),
        Printed("6", "another", "average", "4", "base", 1.0, 2),
    ]
    assert printed_of(ROW, numbers, 8) == {"average": {"base": 75.0}}
    assert printed_of(ExhibitRow("nameless", {}), numbers) == {}


def test_gains_are_paired_and_beside_those_in_print() -> None:
    host = cells({"a": [(70, 60), (71, 61)], "b": [(60, 50), (61, 51)]}, {"average": {"base": 60.0}})
    row = cells({"a": [(75, 60), (77, 61)], "b": [(65, 50), (67, 51)]}, {"average": {"base": 62.5}})
    base, new = gains(row, host, ("row", "host"), ("base", "new"))
    assert base.points == pytest.approx(5.5)
    assert base.printed == pytest.approx(2.5)
    assert (base.sets, base.seeds) == (2, 2)
    assert base.is_settled("these data sets")
    assert new.points == pytest.approx(0.0)
    assert not new.is_settled("these data sets")
    assert gains(row, cells({"c": [(1, 1)]}, {}), ("row", "host"), ("base",)) == []


def test_a_table_has_the_data_and_seeds_that_all_rows_have() -> None:
    one = cells({"a": [(70, 60), (71, 61)], "b": [(60, 50)]}, {})
    other = cells({"a": [(75, 60), (77, 61)], "b": [(65, 50), (66, 50)]}, {})
    table = table_of([one, other], ["one", "other"])
    assert table is not None
    assert table.sets == ["a", "b"]
    assert table.seeds == 1


def test_a_grid_escapes_what_it_shows() -> None:
    grid = Grid("a title", ("", "H"), [["evil | <b>", "1.00"]], ("a note",))
    assert grid.markdown().splitlines()[2:5] == ["|  | H |", "|---|--:|", "| evil \\| &lt;b&gt; | 1.00 |"]
