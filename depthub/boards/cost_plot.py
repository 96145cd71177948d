"""The picture of a board's headline against what a method costs: a point for each row, and the line of those that no cheaper one beats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from depthub.boards.plot import COLOURS, MARKERS, Point, any_script, label_points, limits
from depthub.errors import DepthubError
from depthub.system.files import atomic_write

FORMATS: Mapping[str, dict[str, Any]] = {".png": {"metadata": {"Software": None}}, ".svg": {"metadata": {"Date": None}}}  # without dates


def draw_costs(rows: Iterable[Mapping[str, Any]], setting: Mapping[str, Any], path: Path) -> Path | None:
    """Draw the averages of a leaderboard's rows against the time of a training step, or where that is not measured of a run.

    Args:
        rows: of a leaderboard document; rows without an average or without a cost are left out.
        setting: of the rows in the document.
        path: of the picture; its ending says the format.

    Returns:
        `path`; None if fewer than two rows have a cost.

    Raises:
        DepthubError: if matplotlib is missing.
    """
    rows, headline = [row for row in rows if row["average"] and setting["headline"] in row["average"]], setting["headline"]
    measured = sum("measured" in row["cost"] for row in rows) > 1
    priced = [(row, price) for row in rows if (price := _milliseconds(row) if measured else row["cost"]["train_s"])]
    if len(priced) < 2:
        return None
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DepthubError("the picture needs matplotlib: pip install 'depthub[plot]'") from error
    points = [_point(row, headline, price) for row, price in priced]
    figure, content = Figure(figsize=(9.6, 6.4), dpi=150), BytesIO()
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.08, 0.09, 0.88, 0.84))
    with any_script(), rc_context({"svg.hashsalt": "depthub", "svg.fonttype": "path"}):  # the same numbers give the same file
        axes.set_xscale("log")
        axes.set_xlim(min(point.x for point in points) / 1.5, max(point.x for point in points) * 2)
        axes.set_ylim(limits([point.y for point in points], [0.0] * len(points)))
        front = _front(points)
        axes.step([point.x for point in front], [point.y for point in front], where="post", color="#999999", linewidth=1, zorder=1)
        for place, point in enumerate(points):
            axes.plot(point.x, point.y, color=COLOURS[place % len(COLOURS)], marker=MARKERS[place % len(MARKERS)], markersize=6, zorder=3)
        axes.set_xlabel("milliseconds of a training step" if measured else "seconds of training a run")
        axes.set_ylabel(f"{headline} (%)", parse_math=False)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        label_points(axes, points, ())
        figure.savefig(content, format=path.suffix[1:], **FORMATS[path.suffix])
    return atomic_write(path, content.getvalue())


def _milliseconds(row: Mapping[str, Any]) -> float:
    """Of a step; of what comes before the first one where nothing is trained in steps."""
    measured = row["cost"].get("measured", {"step_s": 0.0, "prepare_s": 0.0, "trained": 0})
    return 1e3 * float(measured["step_s"] or (0.0 if not measured["trained"] else measured["prepare_s"]))


def _point(row: Mapping[str, Any], headline: str, price: float) -> Point:
    return Point(row["label"], price, row["average"][headline]["mean"], 0.0, 0.0)


def _front(points: list[Point]) -> list[Point]:
    """The points that no point further left exceeds."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.x, -point.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return front
