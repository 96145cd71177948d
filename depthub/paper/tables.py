"""The paper's tables: averages, data sets, transfer and shots, each with the numbers in print beside the measured ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

from depthub.literature.printed import AVERAGE
from depthub.paper.cells import Cell, Cells, half_over
from depthub.paper.gains import Gain, gains, grid_of
from depthub.paper.grids import Grid, in_three_lines
from depthub.paper.selection import Selection, hosted, name_of, scores_of
from depthub.paper.shown import Shown
from depthub.statistics.averages import over_seeds

A_BLOCK = 3  # data sets beside one another, as in the paper
SOURCE, TARGET = "source", "target"  # scores in print


def averages(selection: Selection) -> Shown:
    """A row of averages for each row of the exhibit (Table 1), with gains."""
    rows = selection.cells()
    scores = scores_of_rows(rows)
    lines = [line for row in rows for line in in_three_lines(row.row.label, [row.average(score) for score in scores])]
    grid = Grid("", ("", *scores), lines)
    return _with_gains([grid], rows, scores, {"average": values_of(rows, scores)})


def data_sets(selection: Selection) -> Shown:
    """The average and every data set, in blocks (Table 2), with gains."""
    rows = selection.cells()
    scores, data = scores_of_rows(rows), selection.data
    blocks = [[AVERAGE], *(data[i : i + A_BLOCK] for i in range(0, len(data), A_BLOCK))]
    grids = [_block(rows, block, scores, len(data)) for block in blocks]
    values = {"average": values_of(rows, scores), "data": {name: values_of(rows, scores, name) for name in data}}
    return _with_gains(grids, rows, scores, values)


def shots(selection: Selection) -> Shown:
    """Averages with several numbers of images of each class, side by side (Table 6), with gains."""
    numbers = selection.shots
    of_shots = {number: selection.cells(shots=number) for number in numbers}
    scores = scores_of_rows(next(iter(of_shots.values()), []))
    columns = ("", *(f"{score}, {number} shots" for number in numbers for score in scores))
    lines = [
        line
        for rows in zip(*of_shots.values(), strict=True)
        for line in in_three_lines(rows[0].row.label, [row.average(score) for row in rows for score in scores])
    ]
    every = [gain for number, rows in of_shots.items() for gain in gains_of(rows, scores, f", {number} shots")]
    values = {"average": {str(number): values_of(rows, scores) for number, rows in of_shots.items()}}
    return Shown([Grid("", columns, lines), *_gains_grid(every)], {**values, "gains": [gain.as_dict() for gain in every]})


def transfer(selection: Selection) -> Shown:
    """The source, every target, and their average (Tables 3 and 4), with gains of the average."""
    rows = selection.cells()
    (source,) = selection.data[:1] or [""]
    targets = [name for name in _all_scores(rows) if name not in (SOURCE, AVERAGE)]
    places = [SOURCE, *targets, AVERAGE]
    of_rows = [[_transferred(row, source, targets, place) for place in places] for row in rows]
    lines = [line for row, cells in zip(rows, of_rows, strict=True) for line in in_three_lines(row.row.label, cells, spread=False)]
    columns = ("", f"source: {source}", *targets, "average of targets")
    values = {
        name_of(row.row): {place: cell.as_dict() for place, cell in zip(places, cells, strict=True)}
        for row, cells in zip(rows, of_rows, strict=True)
    }
    every = gains_of(rows, (SOURCE, AVERAGE), in_print={AVERAGE: TARGET})
    one_source = "Trained on one data set, so that intervals on new data sets cannot be given; those here are over seeds."
    grids = [Grid("", columns, lines), *(Grid(grid.title, grid.columns, grid.rows, (one_source,)) for grid in _gains_grid(every))]
    return Shown(grids, {"rows": values, "gains": [gain.as_dict() for gain in every]})


def gains_of(
    rows: Sequence[Cells], scores: Sequence[str], suffix: str = "", in_print: Mapping[str, str] = MappingProxyType({})
) -> list[Gain]:
    """The gains of all rows that have a host.

    Args:
        rows: of an exhibit.
        scores: whose gains are wanted.
        suffix: of the rows' names.
        in_print: names of scores in print, where they are others.
    """
    pairs = ((row, host, (f"{names[0]}{suffix}", f"{names[1]}{suffix}")) for row, host, names in hosted(rows))
    return [gain for row, host, names in pairs for gain in gains(row, host, names, scores, in_print)]


def _transferred(row: Cells, source: str, targets: Sequence[str], place: str) -> Cell:
    """A number of a row on the source, on a target, or over the targets."""
    if place == SOURCE:
        return row.on(source, SOURCE)
    measured = over_seeds(row.scores(source), row.summary).get(place) if source in row.runs else None
    printed = row.printed.get(place, {}).get(TARGET)
    in_print = [name for name, scores in row.printed.items() if TARGET in scores and name != AVERAGE]
    if place != AVERAGE or (row.same_model and {*in_print} == {*targets}):
        return row.single(measured, printed)
    if measured is None or printed is None or len(targets) < 2:
        return Cell(measured, printed)
    means = [over_seeds(row.scores(source), row.summary)[name].mean for name in targets]
    return Cell(measured, printed, half_over(means, len(in_print)), "data sets")


def _block(rows: Sequence[Cells], block: Sequence[str], scores: Sequence[str], number: int) -> Grid:
    places = [(place, score) for place in block for score in scores]
    of_rows = [[row.average(score) if place == AVERAGE else row.on(place, score) for place, score in places] for row in rows]
    lines = [
        line for row, cells in zip(rows, of_rows, strict=True) for line in in_three_lines(row.row.label, cells, spread=AVERAGE in block)
    ]
    columns = ("", *(f"{f'average of {number}' if place == AVERAGE else place}: {score}" for place, score in places))
    return Grid("", columns, lines)


def _with_gains(grids: Sequence[Grid], rows: Sequence[Cells], scores: Sequence[str], values: dict[str, Any]) -> Shown:
    every = gains_of(rows, scores)
    return Shown([*grids, *_gains_grid(every)], {**values, "gains": [gain.as_dict() for gain in every]})


def _gains_grid(every: Sequence[Gain]) -> Iterator[Grid]:
    if every:
        yield grid_of("Gains", every)


def values_of(rows: Sequence[Cells], scores: Sequence[str], data: str = "") -> dict[str, Any]:
    """Cells for JSON, by the name of the row, then score: averages, or those of one data set."""
    return {name_of(row.row): {score: (row.on(data, score) if data else row.average(score)).as_dict() for score in scores} for row in rows}


def scores_of_rows(rows: Sequence[Cells]) -> list[str]:
    """The scores that the columns of a table show; of rows without runs those in print."""
    summary = next((row.summary for row in rows if row.runs), None)
    if summary is None:
        return list(dict.fromkeys(chain.from_iterable(scores for row in rows for scores in row.printed.values())))
    return scores_of(summary, _all_scores(rows))


def _all_scores(rows: Sequence[Cells]) -> list[str]:
    runs = [run for row in rows for of_data in row.runs.values() for run in of_data.values()]
    return list(runs[0].scores) if runs else []
