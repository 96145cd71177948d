"""The paper's figures of accuracies: with and without the second head (Figure 1), the balance weight and epochs (4), shots (5)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from depthub.literature.printed import AVERAGE
from depthub.paper.cells import Cell, Cells, has_model
from depthub.paper.exhibit import ExhibitRow, paper
from depthub.paper.grids import Grid, in_three_lines
from depthub.paper.pictures import BLUE, GRAY, GREEN, VERMILION, Line, bare, legend, plot, save
from depthub.paper.selection import Selection, hosted, name_of
from depthub.paper.shown import Shown
from depthub.paper.tables import data_sets, gains_of, scores_of_rows
from depthub.records.result import RunResult
from depthub.registry.plugins import installed
from depthub.statistics.averages import over_data
from depthub.values.flat import flat

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Series = Mapping[float, Mapping[str, Cell]]  # cells by place on the x axis, then score

COLOURS = (VERMILION, BLUE, GREEN)  # of the scores
MARKS, STYLES = "os^D", ("--", "-", ":", "-.")  # of the rows
OF_EPOCH = re.compile(r"(.+), epoch (\d+)")  # names of scores after an epoch


def pairs(selection: Selection) -> Shown:
    """Figure 1: for each method, averages without and with the second head, measured and in print."""
    table, rows = data_sets(selection), selection.cells()
    scores, several = scores_of_rows(rows), [(row, host) for row, host, _ in hosted(rows)]

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
        for score, axes, colour in zip(scores, panels, COLOURS, strict=False):
            _dumbbells(axes, several, score, colour)

    caption = (
        "Averages without (hollow) and with the second head (filled): in colour as measured here, with the deviation over seeds; "
        "in gray as printed."
    )
    return Shown(
        [*table.grids[:1], *table.grids[-1:]], table.values, picture=partial(save, draw, (9.0, 3.6)) if scores else None, caption=caption
    )


def shots_curve(selection: Selection) -> Shown:
    """Figure 5: averages against the number of images of each class."""
    of_shots = {images: selection.cells(shots=images) for images in selection.shots}
    scores = scores_of_rows(next(iter(of_shots.values()), []))
    series: dict[str, Series] = {
        name_of(row): {float(images): {score: rows[place].average(score) for score in scores} for images, rows in of_shots.items()}
        for place, row in enumerate(selection.exhibit.rows)
    }
    every = [gain for images, rows in of_shots.items() for gain in gains_of(rows, scores, f", {images} shots")]

    def draw(figure: Figure) -> None:
        _panels(figure, series, scores, "images of each class")

    caption = "Averages against the images of each class; bars: deviation over seeds; thin with hollow marks: in print."
    values = {"series": _values(series), "gains": [gain.as_dict() for gain in every]}
    return Shown([_grid(series, scores, "shots")], values, picture=partial(save, draw, (9.0, 4.0)) if scores else None, caption=caption)


def sweeps(selection: Selection) -> Shown:
    """Figure 4: averages against the balance weight, whose 0 is a control, and after every epoch."""
    balance, epochs = selection.exhibit.suites
    plain = selection.cells(balance.name)[0]
    scores = scores_of_rows([plain])
    of_balance = {"balance": _over_setting(selection, balance.name, scores)}
    of_epochs = {row.row.label: _over_epochs(row, scores) for row in selection.cells(epochs.name)}
    control = control_of(plain, selection.results[balance.name])

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        _balances(left, of_balance["balance"], scores, plain)
        lines = [line for place, score in enumerate(scores) for line in _lines(of_epochs, score, COLOURS[place], is_named=True)]
        plot(right, lines, "epoch", title="tested after each epoch of one training")
        legend(right, 2)

    caption = (
        "Left: averages against the balance weight; bars: deviation over seeds; thin with hollow marks: in print. "
        f"{control['text']} Right: after each epoch of one training."
    )
    values = {"balance": _values(of_balance)["balance"], "epochs": _values(of_epochs), "control": control}
    grids = [_grid(of_balance, scores, "", "Balance weight"), _grid(of_epochs, scores, "epoch", "Epochs of one training")]
    return Shown(grids, values, [control["text"]], partial(save, draw, (10.0, 4.6)) if scores else None, caption)


def control_of(plain: Cells, runs: Sequence[RunResult]) -> dict[str, Any]:
    """The control of a sweep: whether the runs whose second head is switched off count exactly what the host's runs count.

    Args:
        plain: the host's runs.
        runs: of the sweep.

    Returns:
        `runs`, the number compared, `equal`, that of equal ones, and `text`, a sentence.
    """
    off = [run for run in runs if _is_off(run)]
    hosts = {(data, seed): run for data, of_data in plain.runs.items() for seed, run in of_data.items()}
    compared = [(run, hosts[key]) for run in off if (key := (run.spec.data.name, run.spec.seed)) in hosts]
    equal = sum(run.counts == host.counts for run, host in compared)
    text = f"Control: switched off, the second head leaves {equal} of {len(compared)} runs with exactly the counts of {plain.row.label}."
    return {"runs": len(compared), "equal": equal, "text": text}


def _is_off(run: RunResult) -> bool:
    """Whether the run's head is switched off, as the head declares it."""
    head, plugins = run.spec.head, installed()
    switch = plugins.get("heads", head.name).control if head.name in plugins.names("heads") else {}
    return bool(switch) and all(head.settings.get(name) == value for name, value in switch.items())


def _over_setting(selection: Selection, suite: str, scores: Sequence[str]) -> Series:
    """Averages by the value of the setting that the exhibit goes along, beside those in print."""
    summary = selection.cells(suite)[0].summary
    by_balance: dict[float, dict[str, dict[int, RunResult]]] = {}
    for run in selection.results[suite]:
        weight = flat(run.spec.as_dict()).get(selection.exhibit.along)
        if weight is not None:
            by_balance.setdefault(float(weight), {}).setdefault(run.spec.data.name, {})[run.spec.seed] = run
    printed = {float(number.row.rpartition(" ")[2]): number.row for number in selection.exhibit.printed}
    cells: dict[float, dict[str, Cell]] = {}
    for weight in sorted({*by_balance, *printed}):
        row = ExhibitRow(f"{weight:g}", {}, printed.get(weight, ""))
        in_print = {AVERAGE: {number.score: number.value for number in selection.exhibit.printed if number.row == row.printed}}
        of_weight = by_balance.get(weight, {})
        same = all(has_model(run, paper().backbone) for of_data in of_weight.values() for run in of_data.values())
        row_cells = Cells(row, of_weight, summary, in_print, same)
        cells[weight] = {score: row_cells.average(score) for score in scores}
    return cells


def _over_epochs(row: Cells, scores: Sequence[str]) -> Series:
    """Averages by epoch; epochs are in the names of scores."""
    if not row.runs:
        return {}
    averages = over_data({name: row.scores(name) for name in row.runs}, row.summary)
    cells: dict[float, dict[str, Cell]] = {}
    for name, statistic in averages.items():
        match = OF_EPOCH.fullmatch(name)
        if match and match[1] in scores:
            cells.setdefault(float(match[2]), {})[match[1]] = Cell(statistic)
    return dict(sorted(cells.items()))


def _balances(axes: Axes, series: Series, scores: Sequence[str], plain: Cells) -> None:
    lines = [line for place, score in enumerate(scores) for line in _lines({"": series}, score, COLOURS[place], is_named=True)]
    plot(axes, lines, "balance weight", title="balance weight; crosses: without the second head")
    for score, colour in zip(scores, COLOURS, strict=False):
        host = plain.average(score).measured
        if host:
            axes.plot([0], [host.mean], marker="x", markersize=11, markeredgewidth=2, color=colour, zorder=5)
    legend(axes, 2)


def _panels(figure: Figure, several: Mapping[str, Series], scores: Sequence[str], x: str) -> None:
    """A panel for each score, with a line for each row."""
    panels = figure.subplots(1, len(scores), squeeze=False)[0]
    for place, (score, axes) in enumerate(zip(scores, panels, strict=True)):
        plot(axes, _lines(several, score, COLOURS[place % len(COLOURS)]), x, title=score)
        axes.set_xticks(sorted({point for series in several.values() for point in series}))
        legend(axes)


def _lines(several: Mapping[str, Series], score: str, colour: str, *, is_named: bool = False) -> list[Line]:
    """Measured lines of a score, then those in print.

    Args:
        several: by the name of the row.
        score: its name.
        colour: of measured lines.
        is_named: whether the legend names the score, for axes with several.
    """
    lines, in_print = [], []
    for place, (label, series) in enumerate(several.items()):
        name = " ".join(filter(None, (label, score if is_named else "")))
        marker, style = MARKS[place % len(MARKS)], STYLES[place % len(STYLES)] if label else "-"
        points = {x: point for x, cells in series.items() if (point := cells[score].measured)}
        printed = {x: value for x, cells in series.items() if (value := cells[score].printed) is not None}
        deviations = [point.std or 0.0 for point in points.values()]
        lines += [Line(name, [*points], [point.mean for point in points.values()], deviations, colour, marker, style)] if points else []
        in_print += (
            [Line(f"{name}, in print", [*printed], [*printed.values()], (), colour, marker, style, is_printed=True)] if printed else []
        )
    return [*lines, *in_print]


def _dumbbells(axes: Axes, several: Sequence[tuple[Cells, Cells]], score: str, colour: str) -> None:
    """For each pair a line from the host's average, above and hollow, to the row's; measured ones above those in print."""
    for place, (row, host) in enumerate(several):
        ends = host.average(score), row.average(score)
        of_runs = [cell.measured.mean for cell in ends if cell.measured]
        in_print = [cell.printed for cell in ends if cell.printed is not None]
        for heights, shade, values in (((-0.24, -0.08), colour, of_runs), ((0.12, 0.24), GRAY, in_print)):
            if len(values) == len(ends):
                at = [place + height for height in heights]
                axes.plot(values, at, color=shade, linewidth=1.2, alpha=0.6)
                axes.plot(values[:1], at[:1], marker="o", color=shade, markerfacecolor="white", zorder=4)
                axes.plot(values[1:], at[1:], marker="o", color=shade, zorder=4)
        for height, cell in zip((-0.24, -0.08), ends, strict=True):
            if cell.measured and cell.measured.std:
                mean, spread = cell.measured.mean, cell.measured.std
                axes.errorbar(mean, place + height, xerr=spread, color=colour, capsize=2.5, elinewidth=1.0, linewidth=0, zorder=3)
    axes.set_yticks(range(len(several)), [host.row.label for _, host in several])
    axes.set_ylim(len(several) - 0.5, -0.5)
    axes.set_xlabel(f"{score} (%)", parse_math=False)
    bare(axes)


def _grid(several: Mapping[str, Series], scores: Sequence[str], unit: str, title: str = "") -> Grid:
    rows = [
        line
        for label, series in several.items()
        for x, cells in series.items()
        for line in in_three_lines(" ".join(filter(None, (label, unit, f"{x:g}"))), [cells[score] for score in scores])
    ]
    return Grid(title, ("", *scores), rows)


def _values(several: Mapping[str, Series]) -> dict[str, Any]:
    return {
        label: {f"{x:g}": {score: cell.as_dict() for score, cell in cells.items()} for x, cells in series.items()}
        for label, series in several.items()
    }
