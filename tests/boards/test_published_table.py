"""The DePT paper's Table 2 from its cells: what follows from them under each way to average H, and what was printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from depthub.boards import board, markdown
from depthub.protocol import Count, Summary
from depthub.records.result import RunResult
from depthub.spec import Component, DataSpec, RunSpec, Training
from depthub.statistics.averages import Convention, harmonic, over_data

TABLE: dict[str, dict[str, list[float]]] = json.loads((Path(__file__).parents[1] / "paper_table2.json").read_text())
# base, new and H as the cells give them, and the average of the data sets' own H
EXPECTED = {
    "CoOp": (81.59, 69.99, 75.35, 74.75),
    "CoOp+DePT": (83.66, 71.82, 77.29, 76.79),
    "CoCoOp": (80.70, 72.05, 76.13, 75.75),
    "CoCoOp+DePT": (83.80, 72.89, 77.97, 77.59),
    "KgCoOp": (80.93, 73.88, 77.25, 76.96),
    "KgCoOp+DePT": (83.62, 75.04, 79.10, 78.86),
    "MaPLe": (83.54, 73.76, 78.35, 78.01),
    "MaPLe+DePT": (84.85, 74.82, 79.52, 79.24),
}
NOT_FROM_THE_CELLS = {"CoOp", "CoCoOp"}  # the averages printed for these are of other numbers than the cells beside them

H = Summary("H", {"H": ("base", "new")})


def on_grid(percent: float) -> float:
    """The mean of three accuracies of one decimal each, which was printed with two decimals."""
    return round(30 * percent) / 30


def cells(row: str) -> dict[str, dict[int, dict[str, float]]]:
    """Scores by data set, the printed ones standing for a single seed."""
    pairs = {name: [on_grid(value) for value in values] for name, values in TABLE[row].items() if name != "printed"}
    return {name: {0: {"base": base, "new": new, "H": harmonic(base, new)}} for name, (base, new) in pairs.items()}


def averages(row: str, how: Convention) -> list[float]:
    return [round(average.mean, 2) for average in over_data(cells(row), H, how).values()]


def test_the_table_is_whole() -> None:
    assert TABLE.keys() == EXPECTED.keys()
    assert all(len(cells(row)) == 11 for row in TABLE)


@pytest.mark.parametrize("row", EXPECTED)
def test_averages_under_both_conventions(row: str) -> None:
    base, new, h, mean_h = EXPECTED[row]
    assert averages(row, "harmonic-of-means") == [base, new, h]
    assert averages(row, "mean-of-harmonics") == [base, new, mean_h]


def test_which_printed_averages_follow_from_the_cells() -> None:
    differing = {row for row in TABLE if averages(row, "harmonic-of-means") != TABLE[row]["printed"]}
    assert differing == NOT_FROM_THE_CELLS


def test_a_board_says_how_it_averages() -> None:
    """The same runs under both conventions: H 75.35 or 74.75, as the first row of the table."""
    runs = []
    for name, by_seed in cells("CoOp").items():
        counts = {task: Count(round(300 * by_seed[0][task]), 30_000) for task in ("base", "new")}
        spec = RunSpec(Component("CoOp"), data=DataSpec(name), training=Training())
        runs.append(RunResult(spec, counts, by_seed[0], summary=H))
    for how, expected, sentence in (
        ("harmonic-of-means", 75.35, "not the average of H"),
        ("mean-of-harmonics", 74.75, "mean-of-harmonics"),
    ):
        document = board(runs, how=how)
        assert document["aggregation"] == {"base": "mean", "new": "mean", "H": how}
        assert round(document["rows"][0]["average"]["H"]["mean"], 2) == expected
        assert sentence in markdown(document)
