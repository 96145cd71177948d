"""Parts of charts as SVG within a page: colours and fonts are the page's, texts are escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from markupsafe import Markup

from depthub.values.text import plain, short

WIDTH, HEIGHT = 640.0, 420.0
LEFT, RIGHT, TOP, BOTTOM = 60.0, 20.0, 16.0, 46.0  # margins
MARKS = 7  # shapes and colours of a series, in the style sheet
LONGEST = 34  # characters of a label


@dataclass(frozen=True)
class Scale:
    """Values to places along an axis.

    Args:
        low, high: values at its ends.
        start, end: places of these, in pixels.
        logarithmic: of values above 0.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (log10(number) if self.logarithmic else number for number in (self.low, self.high, value))
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """A few round values, at most ten."""
        if self.logarithmic:
            powers = [10.0**power for power in range(floor(log10(self.low)), floor(log10(self.high)) + 1)]
            return [value for power in powers for value in (power, 2 * power, 5 * power) if self.low <= value <= self.high]
        step = _round_step((self.high - self.low) / 6)
        first = floor(self.low / step) + 1
        return [round(step * place, 6) for place in range(first, first + 12) if step * place <= self.high]


def spanning(values: Sequence[float], start: float, end: float, *, logarithmic: bool = False) -> Scale:
    """The scale of values with some room at both ends."""
    low, high = min(values), max(values)
    if logarithmic:
        return Scale(low / 1.5, high * 1.5, start, end, True)
    room = max((high - low) * 0.08, 0.5)
    return Scale(low - room, high + room, start, end)


def chart(title: str, description: str, parts: Sequence[Markup], height: float = HEIGHT) -> Markup:
    """A chart.

    Args:
        title: for people who hear it, and as a tool tip.
        description: what it shows, in a sentence; the numbers are in a table beside it.
        parts: of the drawing.
        height: in pixels; the width is `WIDTH`, scaled to the page.
    """
    head = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title><desc>{}</desc>').format(
        WIDTH, height, plain(title), plain(title), plain(description)
    )
    return head + Markup("").join(parts) + Markup("</svg>")


def axes(x: Scale, y: Scale, names: tuple[str, str], height: float = HEIGHT) -> Markup:
    """Both axes with ticks, grid lines and names."""
    parts = []
    for value in x.ticks():
        parts.append(line(x(value), TOP, x(value), height - BOTTOM, "grid"))
        parts.append(text(x(value), height - BOTTOM + 16, number(value), "tick middle"))
    for value in y.ticks():
        parts.append(line(LEFT, y(value), WIDTH - RIGHT, y(value), "grid"))
        parts.append(text(LEFT - 8, y(value) + 4, number(value), "tick end"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, height - 8, names[0], "axis middle"))
    turned = Markup('<text class="axis middle" transform="translate(14 {}) rotate(-90)">{}</text>')
    parts.append(turned.format((TOP + height - BOTTOM) / 2, plain(names[1])))
    return Markup("").join(parts)


def text(x: float, y: float, words: str, style: str = "") -> Markup:
    """A text, cut to a length that has room."""
    return Markup('<text x="{}" y="{}" class="{}">{}</text>').format(round(x, 1), round(y, 1), style, short(plain(words), LONGEST))


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    """A line."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(*(round(place, 1) for place in (x1, y1, x2, y2)), style)


def path(points: Sequence[tuple[float, float]], style: str) -> Markup:
    """A line through points."""
    return Markup('<polyline points="{}" class="{}"/>').format(" ".join(f"{x:.1f},{y:.1f}" for x, y in points), style)


def mark(x: float, y: float, series: int, tip: str) -> Markup:
    """A point of a series: each has a shape and a colour, and a tool tip."""
    kind = series % MARKS
    shapes = (
        '<circle cx="{x}" cy="{y}" r="5"',
        '<rect x="{left}" y="{top}" width="9" height="9"',
        '<path d="M{x} {top}l5.5 9.5h-11z"',
        '<path d="M{x} {high}l6 6l-6 6l-6 -6z"',
        '<path d="M{x} {low}l-5.5 -9.5h11z"',
        '<path d="M{left} {top}l9 9m0 -9l-9 9" fill="none"',
        '<path d="M{x} {top}v9m-4.5 -4.5h9" fill="none"',
    )
    shape = shapes[kind].format(x=x, y=y, left=round(x - 4.5, 1), top=round(y - 4.5, 1), high=round(y - 6, 1), low=round(y + 5, 1))
    return Markup(shape) + Markup(' class="mark s{}"><title>{}</title>').format(kind, plain(tip)) + Markup(f"</{shape[1:].split(' ')[0]}>")


def bar(x: float, y: float, width: float, height: float, style: str) -> Markup:
    """A bar; a negative width reaches to the left."""
    left, length = (x, width) if width >= 0 else (x + width, -width)
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"/>').format(
        *(round(v, 1) for v in (left, y, length, height)), style
    )


def number(value: float) -> str:
    """A tick's number: 0.5, 60, 10k, 2M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _round_step(step: float) -> float:
    power = 10.0 ** floor(log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step)
