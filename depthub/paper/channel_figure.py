"""The picture of channel importance, as Figure 3 of https://arxiv.org/abs/2309.07439: points by channel, and densities of ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from depthub.boards.plot import COLOURS
from depthub.errors import DepthubError
from depthub.inference.channel_importance import ratios
from depthub.paper.pictures import draw_into
from depthub.statistics.table import Array
from depthub.values.text import plain, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.legend import Legend

MOST = 3  # runs side by side
WIDTH, HEIGHT, DENSITY, NAME = 2.2, 2.1, 3.2, 0.15  # of a run's panel, width of the densities, height of a run's name; in inches
FIRST, SECOND = COLOURS[1], COLOURS[2]  # of the tasks' points
LINES = [(colour, style) for style in ("-", "--", "-.", ":") for colour in COLOURS if colour not in (FIRST, SECOND)]  # of the runs
SHOWN_RATIOS, SHOWN_POINTS = 0.99, 0.995  # quantiles where axes end; what lies beyond is counted
LONGEST = {"run": 30, "data": 60, "title": 90, "axis": 20}  # characters that have room


@dataclass(frozen=True, eq=False)
class ChannelEntry:
    """A run in the picture.

    Args:
        label: of the run.
        data: name of its data set.
        one: importance of d channels to the first task, (d,).
        other: to the second, likewise.
        score: of the run, in percent.
    """

    label: str
    data: str
    one: Array
    other: Array
    score: float


@dataclass(frozen=True)
class Wording:
    """The words of the picture.

    Args:
        title: above it; none if empty.
        tasks: names of the two tasks.
        score: name of the runs' score.
        window: of channels that count together.
    """

    title: str = ""
    tasks: tuple[str, str] = ("base", "new")
    score: str = "H"
    window: int = 1

    @property
    def short_tasks(self) -> tuple[str, str]:
        """The names of the tasks as they fit."""
        return _line(self.tasks[0], "axis"), _line(self.tasks[1], "axis")


def draw(entries: Sequence[ChannelEntry], path: Path, wording: Wording = Wording()) -> Path:
    """Draw the importance of channels to two tasks, run by run, and the densities of the ratios of all runs; a band for each data set.

    Args:
        entries: the runs, at least one.
        path: of the PNG or SVG file.
        wording: the names in it.

    Returns:
        `path`.

    Raises:
        DepthubError: if matplotlib is missing, there are no runs, or the file is to have another form.
    """
    if not entries:
        raise DepthubError("no run has channels, nothing to draw")
    groups = {data: [entry for entry in entries if entry.data == data] for data in dict.fromkeys(entry.data for entry in entries)}
    return draw_into(partial(_fill, groups=groups, wording=wording), _size(groups), path)


def _size(groups: Mapping[str, Sequence[ChannelEntry]]) -> tuple[float, float]:
    """Of the picture, in inches."""
    columns = _columns(groups)
    rows = sum(ceil(len(entries) / columns) for entries in groups.values())
    return columns * WIDTH + DENSITY, rows * HEIGHT + 0.45 * len(groups) + 0.9


def _columns(groups: Mapping[str, Sequence[ChannelEntry]]) -> int:
    """Runs side by side: the largest group fills its lines, as 4 runs are twice 2."""
    largest = max(map(len, groups.values()))
    return ceil(largest / ceil(largest / MOST))


def _fill(figure: Figure, groups: Mapping[str, Sequence[ChannelEntry]], wording: Wording) -> None:
    """Everything in the picture."""
    columns = _columns(groups)
    heights = [ceil(len(entries) / columns) for entries in groups.values()]
    if wording.title:
        figure.suptitle(_line(wording.title, "title"), fontsize=11, parse_math=False)
    bands = figure.subfigures(len(groups), 1, height_ratios=heights, squeeze=False)[:, 0]
    beyond = np.zeros(2, int)
    for (data, entries), band in zip(groups.items(), bands, strict=True):
        beyond += _band(band, data, entries, columns, wording)
    figure.supxlabel(_caption(wording, *beyond), fontsize=7, color="#444444", parse_math=False)


def _band(band: SubFigure, data: str, entries: Sequence[ChannelEntry], columns: int, wording: Wording) -> tuple[int, int]:
    """The panels of a data set; the numbers of points and of ratios that lie beyond the axes."""
    rows = ceil(len(entries) / columns)
    grid = band.add_gridspec(rows, columns + 1, width_ratios=[WIDTH] * columns + [DENSITY])
    band.suptitle(_line(data, "data"), fontsize=10, x=0.01, ha="left", parse_math=False)
    top = _top(np.concatenate([values for entry in entries for values in (entry.one, entry.other)]), SHOWN_POINTS)
    points = 0
    for place, entry in enumerate(entries):
        row, column = divmod(place, columns)
        axes = band.add_subplot(grid[row, column])
        points += _scatter(axes, entry, top, wording)
        axes.tick_params(labelleft=column == 0)
        if column == 0:
            axes.set_ylabel("channel importance", fontsize=8)
    _name_tasks(band, wording)
    return points, _densities(band.add_subplot(grid[:, columns]), rows, entries, wording)


def _name_tasks(band: SubFigure, wording: Wording) -> None:
    """The colours of the tasks, above the densities."""
    from matplotlib.lines import Line2D

    points = [Line2D([], [], color=colour, marker="o", markersize=4, linestyle="") for colour in (FIRST, SECOND)]
    _rename(band.legend(points, ["task"] * 2, loc="outside upper right", ncols=2, fontsize=8, frameon=False), wording.short_tasks)


def _scatter(axes: Axes, entry: ChannelEntry, top: float, wording: Wording) -> int:
    """The points of a run in the order of the first task; the number of points above the axis, which are drawn at its end."""
    order, beyond = np.argsort(entry.one, kind="stable"), 0
    for values, colour in ((entry.other, SECOND), (entry.one, FIRST)):
        heights, places = values[order], np.arange(len(order))
        above = heights > top
        axes.scatter(places[~above], heights[~above], s=5, color=colour, alpha=0.75, linewidths=0, zorder=2)
        axes.scatter(places[above], np.full(above.sum(), top), s=12, color=colour, marker="^", linewidths=0, clip_on=False, zorder=3)
        beyond += int(above.sum())
    axes.axhline(1, color="#999999", linewidth=0.6, zorder=1)
    axes.set_ylim(0, 1.02 * top)
    axes.set_xlim(-0.03 * len(order), 1.03 * len(order))
    axes.set_title(f"{_line(entry.label, 'run')}\n{_score(entry, wording)}", fontsize=8, parse_math=False)
    axes.set_xlabel(f"channels in order of {wording.short_tasks[0]}", fontsize=7, parse_math=False)
    _plain_frame(axes)
    return beyond


def _densities(axes: Axes, rows: int, entries: Sequence[ChannelEntry], wording: Wording) -> int:
    """The densities of the ratios of all runs, beside so many rows of panels, with the names of the runs above them; the number of ratios
    beyond the axis."""
    of_runs = [ratios(entry.one, entry.other) for entry in entries]
    end = max(1.1, _top(np.concatenate(of_runs), SHOWN_RATIOS, 1.15))
    least = min(0.9, *(float(values.min(initial=1.0)) for values in of_runs))
    start = max(0.0, least - 0.15 * (end - least))
    highest = 0.0
    for place, values in enumerate(of_runs):
        x, y = _density(values, start, end)
        colour, style = LINES[place % len(LINES)]
        axes.plot(x, y, color=colour, linestyle=style, linewidth=1.4)
        highest = max(highest, *y)
    legend = axes.legend(axes.get_lines(), ["run"] * len(entries), loc="upper right", fontsize=7, edgecolor="none", framealpha=0.85)
    _rename(legend, [f"{_line(entry.label, 'run')}, {_score(entry, wording)}" for entry in entries])
    axes.axvline(1, color="#999999", linewidth=0.8, zorder=1)
    axes.set_xlim(start, end)
    names = (NAME * len(entries) + 0.2) / (rows * HEIGHT - 0.65)  # share of the panel
    axes.set_ylim(0, 1.03 * highest / (1 - names) or 1.0)
    axes.set_xlabel(f"{wording.short_tasks[0]} : {wording.short_tasks[1]}", fontsize=8, parse_math=False)
    axes.set_ylabel("density of channels", fontsize=8)
    _plain_frame(axes)
    return sum(int((values > end).sum()) for values in of_runs)


def _density(values: Array, start: float, end: float) -> tuple[Array, Array]:
    """Gaussian kernel density of the ratios up to the end of the axis, whose area is their share of all; a peak where all are equal."""
    from scipy.stats import gaussian_kde

    x, within = np.linspace(start, end, 400), values[values <= end]
    if len(within) < 2 or np.ptp(within) < 1e-9 * end:
        return np.full(2, within[0] if len(within) else 1.0), np.array([0.0, 1.0])
    return x, len(within) / len(values) * gaussian_kde(within)(x)


def _top(values: Array, quantile: float, room: float = 1.03) -> float:
    """Where an axis ends: above a quantile of what is finite, or with some room above all of it if that is not much higher."""
    finite = values[np.isfinite(values)]
    if not len(finite) or not finite.max() > 0:
        return 1.0
    highest = float(finite.max())
    end = 1.15 * float(np.quantile(finite, quantile))
    return end if 0 < end < highest else room * highest


def _caption(wording: Wording, points: int, of_ratios: int) -> str:
    """What a reader has to know of the axes."""
    windows = "single channels" if wording.window == 1 else f"windows of {wording.window} neighbouring channels"
    lines = [f"Equation 3 over {windows}; 1 is average. Densities: Gaussian kernel, Scott's bandwidth."]
    if points or of_ratios:
        lines.append("Axes end above the 99.5 % quantile of importance and the 99 % quantile of ratios; ")
        lines[-1] += f"{points} points (triangles) and {of_ratios} ratios lie beyond."
    return "\n".join(lines)


def _score(entry: ChannelEntry, wording: Wording) -> str:
    return f"{_line(wording.score, 'axis')} = {entry.score:.1f}"


def _line(text: str, what: str) -> str:
    """A name of others as one line that fits."""
    return short(plain(text), LONGEST[what])


def _plain_frame(axes: Axes) -> None:
    """Small numbers, and no frame above and on the right."""
    axes.tick_params(labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _rename(legend: Legend, names: Sequence[str]) -> None:
    """Names of others in a legend, which takes those with a dollar sign for formulas and leaves out those that begin with an underscore."""
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
