"""The picture of a board's headline against what a method costs: a point for each row, and the line of those that no cheaper one beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthub.boards.plot import COLOURS, MARKERS, Point, any_script, label_points, limits
from depthub.errors import DepthubError
from depthub.system.files import atomic_write
from depthub.values.text import plain, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# the same numbers give the same file
FORMATS: Mapping[str, dict[str, Any]] = {".png": {"metadata": {"Software": None}}, ".svg": {"metadata": {"Date": None}}}
LONGEST = 40  # characters of a name
NAMED = 12  # points with a name, where there are more: more names lie on one another


def draw_costs(rows: Sequence[Mapping[str, Any]], setting: Mapping[str, Any], path: Path) -> Path | None:
    """Draw the averages of a leaderboard's rows against the seconds to train, measured alone.

    Args:
        rows: of a leaderboard document. Rows without an average or a measured cost are left out; those that train nothing are lines. Of
            many rows those are named that no cheaper one beats, then the best; the others are grey.
        setting: of the rows in the document.
        path: of the picture; its ending says the format, `.png` or `.svg`.

    Returns:
        `path`; None if fewer than two rows have a cost.

    Raises:
        DepthubError: if matplotlib is missing.
    """
    headline = setting["headline"]
    averages = [
        Point(row["label"], row["cost"]["measured"]["train_s"], row["average"][headline]["mean"], 0.0, 0.0)
        for row in rows
        if "measured" in row["cost"] and headline in (row["average"] or {})
    ]
    points, levels = [point for point in averages if point.x], [point for point in averages if not point.x]
    if len(points) < 2:
        return None
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DepthubError("the picture needs matplotlib: pip install 'depthub[plot]'") from error
    figure, content = Figure(figsize=(9.6, 6.4), dpi=150), BytesIO()
    FigureCanvasAgg(figure)
    with any_script(), rc_context({"svg.hashsalt": "depthub", "svg.fonttype": "path"}):
        axes = figure.add_axes((0.08, 0.09, 0.88, 0.84))
        axes.set_xlabel("seconds to train, measured alone")
        axes.set_ylabel(f"{short(plain(headline), LONGEST)} (%)", parse_math=False)
        _fill(axes, points, levels)
        figure.savefig(content, format=path.suffix[1:], **FORMATS[path.suffix])
    return atomic_write(path, content.getvalue())


def _fill(axes: Axes, points: Sequence[Point], levels: Sequence[Point]) -> None:
    """Everything within the axes."""
    from matplotlib.ticker import LogLocator, NullLocator

    heights = [point.y for point in (*points, *levels)]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlim(min(point.x for point in points) / 1.5, max(point.x for point in points) * 2)
    axes.set_ylim(limits(heights, [0.0] * len(heights)))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for level in levels:
        axes.axhline(level.y, color="#767676", linewidth=1, linestyle=":", zorder=1)
        style: dict[str, Any] = {"fontsize": 8, "color": "#767676", "parse_math": False}
        axes.annotate(short(plain(level.label), LONGEST), (0.005, level.y), (0, 2), ("axes fraction", "data"), "offset points", **style)
    front = _front(points)
    axes.step([point.x for point in front], [point.y for point in front], where="post", color="#999999", linewidth=1, zorder=1)
    named = sorted(points, key=lambda point: (point not in front, -point.y))[:NAMED]
    for point in points:
        if point not in named:
            axes.plot(point.x, point.y, color="#999999", marker=".", markersize=5, zorder=2)
    for place, point in enumerate(named):
        axes.plot(point.x, point.y, color=COLOURS[place % len(COLOURS)], marker=MARKERS[place % len(MARKERS)], markersize=6, zorder=3)
    label_points(axes, named, ())


def _front(points: Sequence[Point]) -> list[Point]:
    """The points that no point further left exceeds."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.x, -point.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return front
