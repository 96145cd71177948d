"""The picture of two scores: one point a method, with lines of equal harmonic mean."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import product
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from depthub.errors import DepthubError
from depthub.statistics.averages import harmonic
from depthub.system.files import atomic_write
from depthub.values.text import plain, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import BboxBase

# Okabe and Ito's colours, which people with colour-blindness can tell apart; with each a marker of its own.
COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = "soD^vPX*"
DISTANCES = (7, 14, 26, 42, 60, 85)  # of a label from its point, in printer's points
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
    """Draw the averages of a leaderboard's rows: the two scores, in percent, whose harmonic mean the headline is.

    Args:
        rows: of a leaderboard document; those without averages of both scores are left out.
        setting: theirs in the document; its `headline` and `harmonic` say which scores.
        path: of the PNG file.
        title: stands above; by default the two scores.

    Returns:
        `path`.

    Raises:
        DepthubError: if matplotlib is missing, the headline is no harmonic mean of two scores, or no row has averages of both.
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
    with _any_script():
        _fill(axes, points, (one, other, headline), title or f"{one} and {other}, average over data sets")
        figure.savefig(content, format="png", metadata={"Software": None})  # the same numbers give the same file
    return atomic_write(path, content.getvalue())


@contextmanager
def _any_script() -> Iterator[None]:
    """Characters that the font lacks are drawn as boxes, without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support", UserWarning)
        yield


def _points(rows: Iterable[Mapping[str, Any]], one: str, other: str) -> list[Point]:
    averages = [(row["label"], row["average"]) for row in rows if row["average"] and {one, other} <= row["average"].keys()]
    return [Point(name, a[one]["mean"], a[other]["mean"], a[one]["std"] or 0.0, a[other]["std"] or 0.0) for name, a in averages]


def _fill(axes: Axes, points: Sequence[Point], scores: tuple[str, str, str], title: str) -> None:
    """Everything on the axes; `scores` are those of x, y and their harmonic mean."""
    names = _frame(axes, points, scores)
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
    _label(axes, points, names)


def _line(text: str, what: str) -> str:
    """A name of others as one line that fits."""
    return short(plain(text), LONGEST[what])


def _frame(axes: Axes, points: Sequence[Point], scores: tuple[str, str, str]) -> list[Annotation]:
    """Limits, and lines of equal harmonic mean; returns the lines' names."""
    x0, x1 = _limits([p.x for p in points], [p.x_std for p in points])
    y0, y1 = _limits([p.y for p in points], [p.y_std for p in points])
    axes.set(xlim=(x0, x1), ylim=(y0, y1))
    axes.set_xlabel(f"{_line(scores[0], 'axis')} (%)", parse_math=False)
    axes.set_ylabel(f"{_line(scores[1], 'axis')} (%)", parse_math=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    highest, lowest = harmonic(x1, y1), harmonic(x0, y0)
    step = next(s for s in (0.5, 1, 2, 5, 10, 20) if (highest - lowest) / s <= 9)
    names: list[Annotation] = []
    for n in range(max(1, ceil(lowest / step)), floor(highest / step) + 1):
        level = n * step
        xs = [x for i in range(201) if (x := x0 + (x1 - x0) * i / 200) > level / 2 + 1e-6]
        axes.plot(xs, [level * x / (2 * x - level) for x in xs], color="0.82", linewidth=0.8, zorder=1, scaley=False, scalex=False)
        for name in _name_line(axes, f"{_line(scores[2], 'level')} = {level:g}", level, (x0, x1), (y0, y1)):
            if any(name.get_window_extent().overlaps(other.get_window_extent()) for other in names):
                name.remove()  # steep lines leave close together; the next one has a name again
            else:
                names.append(name)
    return names


def _limits(values: Sequence[float], spreads: Sequence[float]) -> tuple[float, float]:
    """Room for error bars and labels; at least 6 points wide, so that noise does not look large."""
    low = min(v - s for v, s in zip(values, spreads, strict=True))
    high = max(v + s for v, s in zip(values, spreads, strict=True))
    margin = max(0.18 * (high - low), (6 - (high - low)) / 2, 1.0)
    return max(0.0, low - margin), min(100.0, high + margin)


def _name_line(axes: Axes, name: str, level: float, xs: tuple[float, float], ys: tuple[float, float]) -> list[Annotation]:
    """Name a line where it leaves the frame: at the right, on top, or inside at the left; never in the crowded corners."""
    style: dict[str, Any] = {"fontsize": 8, "color": "0.45", "textcoords": "offset points", "annotation_clip": False, "parse_math": False}
    width, height = xs[1] - xs[0], ys[1] - ys[0]

    def other(value: float) -> float:  # one score from the other, on this line
        return level * value / (2 * value - level) if 2 * value > level else float("inf")

    if ys[0] <= other(xs[1]) <= ys[1] - 0.04 * height:
        return [axes.annotate(name, (xs[1], other(xs[1])), xytext=(4, 0), va="center", **style)]
    if xs[0] <= other(ys[1]) <= xs[1] - 0.06 * width:
        return [axes.annotate(name, (other(ys[1]), ys[1]), xytext=(0, 4), ha="center", **style)]
    if ys[0] + 0.06 * height <= other(xs[0]) <= ys[1]:
        return [axes.annotate(name, (xs[0], other(xs[0])), xytext=(6, 0), va="bottom", **style)]
    return []


def _label(axes: Axes, points: Sequence[Point], names: Iterable[Annotation]) -> None:
    """Put each name at the nearest free place around its point."""
    taken: list[BboxBase] = [name.get_window_extent() for name in names]
    for point in points:
        taken += _cross(axes, point)
    for i, point in enumerate(points):
        for distance, (dx, dy) in product(DISTANCES, DIRECTIONS):
            text = _name_point(axes, point, (dx * distance, dy * distance), COLOURS[i % len(COLOURS)])
            box = text.get_window_extent()
            inside = axes.bbox.x0 < box.x0 and box.x1 < axes.bbox.x1 and axes.bbox.y0 < box.y0 and box.y1 < axes.bbox.y1
            if inside and not any(box.overlaps(other) for other in taken):
                break
            text.remove()
        else:  # nowhere: better crowded than nameless
            text = axes.annotate(_line(point.label, "label"), point[1:3], (7, 7), textcoords="offset points", fontsize=8, parse_math=False)
        taken.append(text.get_window_extent())


def _cross(axes: Axes, p: Point) -> list[BboxBase]:
    """The two bars of a point's cross, each a little thicker than drawn, which covers the marker too."""
    from matplotlib.transforms import Bbox

    (left, bottom), (right, top) = axes.transData.transform([(p.x - p.x_std, p.y - p.y_std), (p.x + p.x_std, p.y + p.y_std)])
    ((across, up),) = axes.transData.transform([(p.x, p.y)])
    return [Bbox([(left - 8, up - 8), (right + 8, up + 8)]), Bbox([(across - 8, bottom - 8), (across + 8, top + 8)])]


def _name_point(axes: Axes, point: Point, offset: tuple[int, int], colour: str) -> Annotation:
    """Write a point's name at so many printer's points from it."""
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
