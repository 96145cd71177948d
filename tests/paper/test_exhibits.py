"""The exhibits as data: their rows have runs on every board that depthub ships, and the names in print are there."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from depthub.errors import DepthubError, UnknownNameError
from depthub.paper.exhibit import ALL, Exhibit, ExhibitRow, paper
from depthub.paper.layouts import LAYOUTS
from depthub.paper.selection import suites_of
from depthub.running.resolving import Resolver
from depthub.running.sketched import SketchingResolver
from depthub.spec import RunSpec
from depthub.suites.plan import resolved

EVERY = [*paper().exhibits.values(), *paper().beyond.values()]
IN_PAPER = ["table1", "table2", "table3", "table4", "table5", "table6", "figure1", "figure3", "figure4", "figure5"]


def specs(exhibit: Exhibit, board: str, resolver: Resolver) -> list[RunSpec]:
    suites = suites_of(exhibit, board, [1]).values()
    return [run.spec for suite in suites for run in resolved([spec for spec in suite.specs() if spec.seed == 1], resolver)]


def test_all_is_the_papers_tables_and_figures() -> None:
    assert [exhibit.name for exhibit in paper().named([ALL])] == IN_PAPER
    assert [exhibit.name for exhibit in paper().named(["figure4", ALL, "cuts"])] == [
        "figure4",
        *[n for n in IN_PAPER if n != "figure4"],
        "cuts",
    ]


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown exhibit 'tabel2'; did you mean 'table2'"):
        paper().named(["tabel2"])


@pytest.mark.parametrize("exhibit", EVERY, ids=lambda exhibit: exhibit.name)
def test_an_exhibit_has_a_layout_and_its_names_are_in_print(exhibit: Exhibit) -> None:
    assert exhibit.kind in LAYOUTS
    in_print = {number.row for number in exhibit.printed}
    assert {row.printed for row in exhibit.rows if row.printed} <= in_print
    assert bool(exhibit.table) == bool(in_print)
    labels = {row.label for row in exhibit.rows}
    assert {row.host for row in exhibit.rows if row.host} <= labels


@pytest.mark.parametrize("board", ["shapes", "base-to-new"])
@pytest.mark.parametrize("exhibit", [one for one in EVERY if one.has_runs], ids=lambda exhibit: exhibit.name)
def test_every_row_has_runs_and_no_run_is_of_two_rows(exhibit: Exhibit, board: str) -> None:
    resolver = Resolver() if board == "shapes" else SketchingResolver()
    runs = specs(exhibit, board, resolver)
    of_rows = [{spec.run_id for spec in runs if row.holds(spec)} for row in exhibit.rows]
    assert all(of_rows)
    assert not any(one & other for one, other in combinations(of_rows, 2))


def test_a_row_is_told_by_its_settings() -> None:
    row = ExhibitRow("one", {"head": "DePT", "head.balance": 0, "shots": 16})
    spec = RunSpec.of({"head": {"name": "DePT", "settings": {"balance": 0.0}}})
    assert row.holds(spec)
    assert not row.holds(RunSpec.of({"head": {"name": "DePT", "settings": {"balance": 0.7}}}))
    assert not row.holds(RunSpec())


def test_a_board_without_the_protocol_is_refused() -> None:
    with pytest.raises(
        DepthubError, match="table2 needs protocol BaseToNew; board cross-dataset and its companions have CrossDataset: name"
    ):
        suites_of(paper().exhibits["table2"], "cross-dataset", [])


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("table2", "shots: [4, 16]", "table2: board board has shots 4, 16, expected one"),
        ("table1", "samples: [1, 2]", "table1: board board has samples 1, 2, expected one"),
        ("figure4", "cuts: [published, 3]", "figure4: board board has cuts published, 3, expected one"),
    ],
)
def test_a_board_with_several_runs_for_a_cell_is_refused(name: str, line: str, message: str, tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text(f"protocol: BaseToNew\ndata: [tones]\n{line}\n")
    with pytest.raises(DepthubError, match=message):
        suites_of(paper().exhibits[name], str(board), [1])
    board.write_text("protocol: CrossDataset\ndata: [tones, figures]\n")
    with pytest.raises(DepthubError, match="table3: board board has data tones, figures, expected one"):
        suites_of(paper().exhibits["table3"], str(board), [1])


def test_seeds_and_data_are_those_of_the_exhibit_or_of_the_board() -> None:
    (suite,) = suites_of(paper().exhibits["table1"], "shapes", []).values()
    assert tuple(suite.board.seeds) == (1, 2, 3, 4, 5)
    oracle = suites_of(paper().exhibits["figure3"], "base-to-new", [7])["oracle"]
    assert list(oracle.board.data) == ["fgvc_aircraft", "eurosat"]
    assert list(oracle.board.seeds) == [7]
    assert oracle.board.protocol.name == "Oracle"


def test_controls_are_left_out_where_another_exhibit_shows_them() -> None:
    (table2,) = suites_of(paper().exhibits["table2"], "shapes", [1]).values()
    (table1,) = suites_of(paper().exhibits["table1"], "shapes", [1]).values()
    assert not any(row.head.settings.get("balance") == 0 for row in table2.all_rows())
    assert any(row.head.settings.get("balance") == 0 for row in table1.all_rows())
