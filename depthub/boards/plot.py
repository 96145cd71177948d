"""The picture of two scores: a point for each method, and lines of equal harmonic mean."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from depthub.boards.level_lines import draw_level_lines
from depthub.errors import DepthubError
from depthub.system.files import atomic_write
from depthub.values.text import plain, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import BboxBase

# Okabe and Ito's colours, which people with colour-blindness can tell apart; with each a marker of its own.
COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = "soD^vPX*"
DISTANCES = (7, 14, 26, 42, 60, 85)  # between a label and its point, in printer's points
DIRECTIONS = ((1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))
LONGEST = {"label": 40, "axis": 40, "level": 12, "title": 80}  # characters that have room


class Point(NamedTuple):
    """A method: scores in percent, spreads in percentage points."""

    label: str
    x: float
    y: float
    x_std: float
    y_std: float


def draw(rows: Iterable[Mapping[str, Any]], setting: Mapping[str, Any], path: Path, title: str = "") -> Path:
    """Draw the averages of a leaderboard's rows: two scores, in percent, with the headline as their harmonic mean.

    Args:
        rows: of a leaderboard document; rows without averages of both scores are left out.
        setting: of the rows in the document; its `headline` and `harmonic` name the scores.
        path: of the PNG file.
        title: above the picture; by default the two scores.

    Returns:
        `path`.

    Raises:
        DepthubError: if matplotlib is missing, the headline is not a harmonic mean of two scores, or no row has averages of both.
    """
    headline = setting["headline"]
    if headline not in setting["harmonic"]:
        raise DepthubError(f"{plain(headline)} is not declared a harmonic mean of two scores, and a picture needs two")
    one, other = setting["harmonic"][headline]
    points = _points(rows, one, other)
    if not points:
        raise DepthubError(f"no method has averages of {plain(one)} and {plain(other)}, nothing to draw")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DepthubError("the picture needs matplotlib: pip install 'depthub[plot]'") from error
    figure = Figure(figsize=(7.2, 5.4), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.1, 0.11, 0.8, 0.74))
    content = BytesIO()
    with any_script():
        _fill(axes, points, (one, other, headline), title or f"{one} and {other}, average over data sets")
        figure.savefig(content, format="png", metadata={"Software": None})  # the same numbers give the same file
    return atomic_write(path, content.getvalue())


@contextmanager
def any_script() -> Iterator[None]:
    """Characters that the font lacks are drawn as boxes, without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support", UserWarning)
        yield


def _points(rows: Iterable[Mapping[str, Any]], one: str, other: str) -> list[Point]:
    """The rows with averages of both scores."""
    points = []
    for row in rows:
        average = row["average"] or {}
        if one in average and other in average:
            x, y = average[one], average[other]
            points.append(Point(row["label"], x["mean"], y["mean"], x["std"] or 0.0, y["std"] or 0.0))
    return points


def _fill(axes: Axes, points: Sequence[Point], scores: tuple[str, str, str], title: str) -> None:
    """Everything on the axes; `scores` are the names of x, y and their harmonic mean."""
    levels = _frame(axes, points, scores)
    axes.set_title(_line(title, "title"), fontsize=11, pad=24, parse_math=False)
    for i, point in enumerate(points):
        axes.errorbar(
            point.x,
            point.y,
            xerr=point.x_std or None,
            yerr=point.y_std or None,
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=7,
            capsize=3,
            elinewidth=1.2,
            zorder=3,
        )
    label_points(axes, points, levels)


def _line(text: str, what: str) -> str:
    """A name of others as one line that fits."""
    return short(plain(text), LONGEST[what])


def _frame(axes: Axes, points: Sequence[Point], scores: tuple[str, str, str]) -> list[Annotation]:
    """Set limits and axis labels, and draw lines of equal harmonic mean; returns their labels."""
    axes.set_xlim(limits([point.x for point in points], [point.x_std for point in points]))
    axes.set_ylim(limits([point.y for point in points], [point.y_std for point in points]))
    axes.set_xlabel(f"{_line(scores[0], 'axis')} (%)", parse_math=False)
    axes.set_ylabel(f"{_line(scores[1], 'axis')} (%)", parse_math=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return draw_level_lines(axes, _line(scores[2], "level"))


def limits(values: Sequence[float], spreads: Sequence[float]) -> tuple[float, float]:
    """Room for error bars and labels; at least 6 points wide, so that noise does not look large."""
    low = min(value - spread for value, spread in zip(values, spreads, strict=True))
    high = max(value + spread for value, spread in zip(values, spreads, strict=True))
    margin = max(0.18 * (high - low), (6 - (high - low)) / 2, 1.0)
    return max(0.0, low - margin), min(100.0, high + margin)


def label_points(axes: Axes, points: Sequence[Point], levels: Iterable[Annotation]) -> None:
    """Put each name at the nearest free place around its point."""
    occupied: list[BboxBase] = [level.get_window_extent() for level in levels]
    for point in points:
        occupied += _cross(axes, point)
    for i, point in enumerate(points):
        label = _nearest_free(axes, point, COLOURS[i % len(COLOURS)], occupied)
        if label is None:  # better crowded than nameless
            label = axes.annotate(
                _line(point.label, "label"), (point.x, point.y), (7, 7), textcoords="offset points", fontsize=8, parse_math=False
            )
        occupied.append(label.get_window_extent())


def _nearest_free(axes: Axes, point: Point, colour: str, occupied: Sequence[BboxBase]) -> Annotation | None:
    """The name of a point at the nearest place within the frame that overlaps nothing; None if there is no such place."""
    for distance, (dx, dy) in product(DISTANCES, DIRECTIONS):
        text = _name_point(axes, point, (dx * distance, dy * distance), colour)
        box = text.get_window_extent()
        inside = axes.bbox.x0 < box.x0 and box.x1 < axes.bbox.x1 and axes.bbox.y0 < box.y0 and box.y1 < axes.bbox.y1
        if inside and not any(box.overlaps(other) for other in occupied):
            return text
        text.remove()
    return None


def _cross(axes: Axes, point: Point) -> list[BboxBase]:
    """The two bars of a point's cross, each a little thicker than drawn, which covers the marker too."""
    from matplotlib.transforms import Bbox

    left, bottom = axes.transData.transform((point.x - point.x_std, point.y - point.y_std))
    right, top = axes.transData.transform((point.x + point.x_std, point.y + point.y_std))
    x, y = axes.transData.transform((point.x, point.y))
    return [Bbox([(left - 8, y - 8), (right + 8, y + 8)]), Bbox([(x - 8, bottom - 8), (x + 8, top + 8)])]


def _name_point(axes: Axes, point: Point, offset: tuple[int, int], colour: str) -> Annotation:
    """Write a point's name beside it; the offset is in printer's points."""
    return axes.annotate(
        _line(point.label, "label"),
        (point.x, point.y),
        xytext=offset,
        textcoords="offset points",
        ha="right" if offset[0] < 0 else "left" if offset[0] else "center",
        va="top" if offset[1] < 0 else "bottom" if offset[1] else "center",
        fontsize=10,
        color=colour,
        zorder=4,
        parse_math=False,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.5},  # above the lines of equal harmonic mean
    )
