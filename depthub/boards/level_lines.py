"""Lines of equal harmonic mean in the picture of two scores, each with its level where it leaves the frame.

All points (x, y) with the harmonic mean h = 2 x y / (x + y) lie on y = h x / (2 x - h), to the right of x = h / 2.
"""

from __future__ import annotations

from math import ceil, floor, inf
from typing import TYPE_CHECKING, Any

from depthub.statistics.averages import harmonic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

STEPS = (0.5, 1, 2, 5, 10, 20)  # between levels, in percentage points
MOST = 9  # lines
SAMPLES = 200  # pieces of a line
STYLE: dict[str, Any] = {"fontsize": 8, "color": "0.45", "textcoords": "offset points", "annotation_clip": False, "parse_math": False}


def draw_level_lines(axes: Axes, name: str) -> list[Annotation]:
    """Draw the lines within the limits of the axes; returns their labels, `name` with the level."""
    x0, x1 = axes.get_xlim()
    y0, y1 = axes.get_ylim()
    highest, lowest = harmonic(x1, y1), harmonic(x0, y0)
    step = next(step for step in STEPS if (highest - lowest) / step <= MOST)
    labels: list[Annotation] = []
    for number in range(max(1, ceil(lowest / step)), floor(highest / step) + 1):
        level = number * step
        places = (x0 + (x1 - x0) * i / SAMPLES for i in range(SAMPLES + 1))
        xs = [x for x in places if x > level / 2 + 1e-6]
        axes.plot(xs, [_other_score(x, level) for x in xs], color="0.82", linewidth=0.8, zorder=1, scaley=False, scalex=False)
        label = _label(axes, f"{name} = {level:g}", level)
        if label is not None:
            _keep_apart(label, labels)
    return labels


def _other_score(score: float, level: float) -> float:
    """The score with which another one has this harmonic mean, in percent; infinite where there is none."""
    return level * score / (2 * score - level) if 2 * score > level else inf


def _label(axes: Axes, text: str, level: float) -> Annotation | None:
    """Label a line where it leaves the frame: at the right, on top, or inside at the left; never in the crowded corners."""
    x0, x1 = axes.get_xlim()
    y0, y1 = axes.get_ylim()
    right, top, left = _other_score(x1, level), _other_score(y1, level), _other_score(x0, level)
    if y0 <= right <= y1 - 0.04 * (y1 - y0):
        return axes.annotate(text, (x1, right), xytext=(4, 0), va="center", **STYLE)
    if x0 <= top <= x1 - 0.06 * (x1 - x0):
        return axes.annotate(text, (top, y1), xytext=(0, 4), ha="center", **STYLE)
    if y0 + 0.06 * (y1 - y0) <= left <= y1:
        return axes.annotate(text, (x0, left), xytext=(6, 0), va="bottom", **STYLE)
    return None


def _keep_apart(label: Annotation, labels: list[Annotation]) -> None:
    """Add a label to the others, or remove it where it covers one: steep lines leave close together, and the next one has a label again."""
    if any(label.get_window_extent().overlaps(other.get_window_extent()) for other in labels):
        label.remove()
    else:
        labels.append(label)
