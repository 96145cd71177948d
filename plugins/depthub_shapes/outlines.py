"""The shapes as geometry: closed contours for figures, strokes for digits; x right, y down, extent about [-1, 1]."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]  # (N, 2)
Contours = tuple[tuple[Points, int], ...]  # (closed polygon, 255 to fill or 0 to cut), drawn in this order


def _arc(start: float, stop: float, n: int = 20, rx: float = 1.0, ry: float = 1.0, cx: float = 0.0, cy: float = 0.0) -> Points:
    """Points of an elliptic arc; degrees, clockwise on screen from the positive x axis; (n, 2)."""
    angle = np.radians(np.linspace(start, stop, n))
    return np.stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)], axis=1)


def _regular(corners: int) -> Points:
    return _arc(-90, 270, corners + 1)[:-1]


def _points(*xy: tuple[float, float]) -> Points:
    return np.array(xy, dtype=np.float64)


def _star() -> Points:
    points = _arc(-90, 270, 11)[:-1]
    points[1::2] *= 0.42
    return points


def _heart() -> Points:
    t = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y - 2.5], axis=1) / 16


def _cross() -> Points:
    a = 0.34
    return _points((-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a), (a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a), (-a, -a))


def _crescent() -> Points:
    outer = _arc(50, 310, 26)
    inner = _arc(297, 63, 20, rx=0.8, ry=0.86, cx=0.3)
    moved: Points = np.concatenate([outer, inner]) + np.array([0.2, 0.0])
    return moved


def _drop() -> Points:
    return np.concatenate([_points((0, -1)), _arc(-25, 205, 20, rx=0.62, ry=0.62, cy=0.38)])


def _flower() -> Contours:
    petals = [(_arc(0, 360, 14, rx=0.42, ry=0.42, cx=0.6 * np.cos(a), cy=0.6 * np.sin(a)), 255) for a in np.radians(range(-90, 270, 72))]
    return (*petals, (_arc(0, 360, 14, rx=0.4, ry=0.4), 255), (_arc(0, 360, 12, rx=0.24, ry=0.24), 0))


def _tree() -> Contours:
    crowns = [_points((0, top), (width, top + 0.72), (-width, top + 0.72)) for top, width in ((-1, 0.5), (-0.62, 0.68), (-0.2, 0.85))]
    trunk = _points((-0.16, 0.5), (0.16, 0.5), (0.16, 1), (-0.16, 1))
    return (*((crown, 255) for crown in crowns), (trunk, 255))


@cache
def contours() -> dict[str, Contours]:
    """Figure -> its contours."""
    single = {
        "circle": _arc(0, 360, 28),
        "square": 0.84 * _points((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "triangle": _points((0, -0.95), (1, 0.8), (-1, 0.8)),
        "star": 1.08 * _star(),
        "heart": _heart(),
        "cross": _cross(),
        "diamond": _points((0, -1), (0.66, 0), (0, 1), (-0.66, 0)),
        "pentagon": _regular(5),
        "hexagon": _arc(0, 360, 7)[:-1],
        "crescent": _crescent(),
        "arrow": _points((-1, -0.26), (0.12, -0.26), (0.12, -0.75), (1, 0), (0.12, 0.75), (0.12, 0.26), (-1, 0.26)),
        "oval": _arc(0, 360, 28, ry=0.55),
        "trapezoid": _points((-0.48, -0.62), (0.48, -0.62), (1, 0.62), (-1, 0.62)),
        "semicircle": _arc(180, 360, 20, cy=0.45),
        "drop": _drop(),
        "bolt": _points((0.3, -1), (-0.6, 0.16), (-0.06, 0.16), (-0.34, 1), (0.62, -0.26), (0.08, -0.26)),
        "house": _points((0, -1), (1, -0.1), (0.74, -0.1), (0.74, 0.9), (-0.74, 0.9), (-0.74, -0.1), (-1, -0.1)),
        "hourglass": _points((-0.72, -1), (0.72, -1), (0.1, 0), (0.72, 1), (-0.72, 1), (-0.1, 0)),
    }
    figures: dict[str, Contours] = {name: ((points, 255),) for name, points in single.items()}
    figures["ring"] = ((_arc(0, 360, 28), 255), (_arc(0, 360, 20, rx=0.54, ry=0.54), 0))
    figures["fish"] = ((_arc(0, 360, 24, rx=0.72, ry=0.5, cx=0.28), 255), (_points((-0.3, 0), (-1, -0.55), (-1, 0.55)), 255))
    figures["mushroom"] = ((_arc(180, 360, 20, ry=0.95, cy=0.05), 255), (_points((-0.3, 0), (0.3, 0), (0.36, 0.95), (-0.36, 0.95)), 255))
    figures["boat"] = (
        (_points((-1, 0.3), (1, 0.3), (0.62, 0.9), (-0.62, 0.9)), 255),
        (_points((-0.05, -1), (-0.05, 0.18), (-0.75, 0.18)), 255),
        (_points((0.08, -0.9), (0.8, 0.18), (0.08, 0.18)), 255),
    )
    figures["flower"] = _flower()
    figures["tree"] = _tree()
    return figures


@cache
def strokes() -> dict[str, tuple[Points, ...]]:
    """Digit -> the pen strokes that write it, open poly-lines."""
    small, big = {"rx": 0.46, "ry": 0.44}, {"rx": 0.54, "ry": 0.5}
    return {
        "digit zero": (_arc(-90, 280, 24, rx=0.58, ry=0.95),),
        "digit one": (_points((-0.35, -0.55), (0.08, -0.95), (0.08, 0.95)),),
        "digit two": (np.concatenate([_arc(190, 385, 12, rx=0.56, ry=0.5, cy=-0.42), _points((-0.6, 0.92), (0.65, 0.92))]),),
        "digit three": (np.concatenate([_arc(200, 440, 12, **small, cy=-0.5), _arc(-75, 160, 12, **big, cy=0.42)]),),
        "digit four": (_points((0.12, -0.95), (-0.65, 0.3), (0.68, 0.3)), _points((0.3, -0.3), (0.3, 0.95))),
        "digit five": (
            np.concatenate([_points((0.55, -0.92), (-0.4, -0.92), (-0.48, -0.1)), _arc(-125, 150, 14, rx=0.58, ry=0.55, cy=0.36)]),
        ),
        "digit six": (np.concatenate([_points((0.4, -0.95), (-0.2, -0.5)), _arc(200, -190, 20, rx=0.54, ry=0.5, cy=0.42)]),),
        "digit seven": (_points((-0.6, -0.9), (0.6, -0.9), (-0.15, 0.95)),),
        "digit eight": (_arc(90, 450, 16, **small, cy=-0.48), _arc(-90, 270, 18, **big, cy=0.46)),
        "digit nine": (np.concatenate([_arc(-20, 350, 18, rx=0.5, ry=0.48, cy=-0.42), _points((0.46, -0.3), (0.25, 0.95))]),),
    }
