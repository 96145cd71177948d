"""The base-new picture: one point a method, with lines of equal harmonic mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from itertools import product
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from depthub.errors import DepthubError
from depthub.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import BboxBase

# Okabe and Ito's colours, which people with colour-blindness can tell apart; with each a marker of its own.
COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = "soD^vPX*"
DISTANCES = (7, 14, 26, 42, 60, 85)  # of a label from its point, in printer's points
DIRECTIONS = ((1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))


class Point(NamedTuple):
    """A method: accuracies in percent, spreads in percentage points."""

    label: str
    base: float
    new: float
    base_std: float
    new_std: float


def draw(rows: Iterable[Mapping[str, Any]], path: Path, title: str = "Accuracy on base and on new classes, average over data sets") -> Path:
    """Draw the averages of a leaderboard's rows; x is base accuracy, y is new accuracy, in percent.

    Args:
        rows: of a leaderboard document; those without averages of base and new are left out.
        path: of the PNG file.
        title: stands above.

    Returns:
        `path`.

    Raises:
        DepthubError: if matplotlib is missing, or no row has both averages.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DepthubError("the picture needs matplotlib: pip install 'depthub[plot]'") from error
    points = _points(rows)
    if not points:
        raise DepthubError("no method has averages of base and new accuracy, nothing to draw")
    figure = Figure(figsize=(7.2, 5.4), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.1, 0.11, 0.8, 0.74))
    names = _frame(axes, points)
    axes.set_title(title, fontsize=11, pad=24)
    for i, point in enumerate(points):
        axes.errorbar(
            point.base,
            point.new,
            xerr=point.base_std or None,
            yerr=point.new_std or None,
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=7,
            capsize=3,
            elinewidth=1.2,
            zorder=3,
        )
    _label(axes, points, names)
    content = BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})  # the same numbers give the same file
    return atomic_write(path, content.getvalue())


def _points(rows: Iterable[Mapping[str, Any]]) -> list[Point]:
    averages = [(row["label"], row["average"]) for row in rows if row["average"] and {"base", "new"} <= row["average"].keys()]
    return [Point(name, a["base"]["mean"], a["new"]["mean"], a["base"]["std"] or 0.0, a["new"]["std"] or 0.0) for name, a in averages]


def _frame(axes: Axes, points: Sequence[Point]) -> list[Annotation]:
    """Limits, and lines of equal H; returns the lines' names."""
    x0, x1 = _limits([p.base for p in points], [p.base_std for p in points])
    y0, y1 = _limits([p.new for p in points], [p.new_std for p in points])
    axes.set(xlim=(x0, x1), ylim=(y0, y1), xlabel="base accuracy (%)", ylabel="new accuracy (%)")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    highest, lowest = 2 * x1 * y1 / (x1 + y1), 2 * x0 * y0 / (x0 + y0) if x0 + y0 else 0.0
    step = next(s for s in (0.5, 1, 2, 5, 10, 20) if (highest - lowest) / s <= 9)
    names: list[Annotation] = []
    for n in range(max(1, ceil(lowest / step)), floor(highest / step) + 1):
        level = n * step
        bases = [x for i in range(201) if (x := x0 + (x1 - x0) * i / 200) > level / 2 + 1e-6]
        axes.plot(bases, [level * b / (2 * b - level) for b in bases], color="0.82", linewidth=0.8, zorder=1, scaley=False, scalex=False)
        for name in _name_line(axes, level, (x0, x1), (y0, y1)):
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


def _name_line(axes: Axes, level: float, xs: tuple[float, float], ys: tuple[float, float]) -> list[Annotation]:
    """Write a line's H where it leaves the frame: at the right, on top, or inside at the left; never in the crowded corners."""
    style: dict[str, Any] = {"fontsize": 8, "color": "0.45", "textcoords": "offset points", "annotation_clip": False}
    width, height = xs[1] - xs[0], ys[1] - ys[0]

    def other(value: float) -> float:  # new from base or base from new, on this line
        return level * value / (2 * value - level) if 2 * value > level else float("inf")

    if ys[0] <= other(xs[1]) <= ys[1] - 0.04 * height:
        return [axes.annotate(f"H = {level:g}", (xs[1], other(xs[1])), xytext=(4, 0), va="center", **style)]
    if xs[0] <= other(ys[1]) <= xs[1] - 0.06 * width:
        return [axes.annotate(f"H = {level:g}", (other(ys[1]), ys[1]), xytext=(0, 4), ha="center", **style)]
    if ys[0] + 0.06 * height <= other(xs[0]) <= ys[1]:
        return [axes.annotate(f"H = {level:g}", (xs[0], other(xs[0])), xytext=(6, 0), va="bottom", **style)]
    return []


def _label(axes: Axes, points: Sequence[Point], names: Iterable[Annotation]) -> None:
    """Put each name at the nearest free place around its point."""
    from matplotlib.transforms import Bbox

    taken: list[BboxBase] = [name.get_window_extent() for name in names]
    for p in points:
        corners = axes.transData.transform([(p.base - p.base_std, p.new - p.new_std), (p.base + p.base_std, p.new + p.new_std)])
        (left, middle), (right, _) = axes.transData.transform([(p.base - p.base_std, p.new), (p.base + p.base_std, p.new)])
        centre = (left + right) / 2
        # The two bars of the cross, each a little thicker than drawn, which covers the marker too.
        taken += [
            Bbox([(left - 8, middle - 8), (right + 8, middle + 8)]),
            Bbox([(centre - 8, corners[0][1] - 8), (centre + 8, corners[1][1] + 8)]),
        ]
    for i, p in enumerate(points):
        for distance, (dx, dy) in product(DISTANCES, DIRECTIONS):
            text = axes.annotate(
                p.label,
                (p.base, p.new),
                xytext=(dx * distance, dy * distance),
                textcoords="offset points",
                ha={-1: "right", 0: "center", 1: "left"}[dx],
                va={-1: "top", 0: "center", 1: "bottom"}[dy],
                fontsize=10,
                color=COLOURS[i % len(COLOURS)],
                zorder=4,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.5},  # above the lines of equal H
            )
            box = text.get_window_extent()
            inside = axes.bbox.x0 < box.x0 and box.x1 < axes.bbox.x1 and axes.bbox.y0 < box.y0 and box.y1 < axes.bbox.y1
            if inside and not any(box.overlaps(other) for other in taken):
                break
            text.remove()
        else:  # nowhere: better crowded than nameless
            text = axes.annotate(p.label, (p.base, p.new), xytext=(7, 7), textcoords="offset points", fontsize=8)
        taken.append(text.get_window_extent())
