"""The picture of two scores, whatever they are called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthub.boards.plot import draw
from depthub.errors import DepthubError

H = {"headline": "H", "harmonic": {"H": ["base", "new"]}}
HOSTILE = ["$\\frac{$", "a\nb \x1b[31m \u202e", "中文 🙂 שלום", "<img src=x>|", "x" * 5000, "\ud800", "", "%s {} \\"]


def rows(points: list[tuple[float, float]], x: str = "base", y: str = "new", labels: list[str] | None = None) -> list[dict[str, Any]]:
    names = labels or [f"Method {i}" for i in range(len(points))]
    averages = [{x: {"mean": a, "std": None}, y: {"mean": b, "std": 0.5}} for a, b in points]
    return [{"label": label, "average": average} for label, average in zip(names, averages, strict=True)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    """The axes of every figure made meanwhile."""
    drawings: list[Axes] = []
    add = Figure.add_axes

    def keep(self: Figure, *args: Any, **options: Any) -> Axes:
        drawings.append(add(self, *args, **options))
        return drawings[-1]

    monkeypatch.setattr(Figure, "add_axes", keep)
    return drawings


def test_the_picture(tmp_path: Path) -> None:
    points = rows([(70, 60), (80, 55)])
    first, second = (draw(points, H, tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first.startswith(b"\x89PNG")
    assert first == second


@pytest.mark.parametrize("points", [[(0, 0)], [(100, 100)], [(50, 50)] * 4, [(0, 100), (100, 0), (50, 50)], [(70, 60), (70.1, 60.1)]])
def test_the_picture_of_odd_points(points: list[tuple[float, float]], tmp_path: Path) -> None:
    assert draw(rows(points), H, tmp_path / "a.png").stat().st_size > 1000


def test_the_axes_are_the_parts_of_the_headline(tmp_path: Path, drawn: list[Axes]) -> None:
    draw(rows([(50, 60)], "seen", "unseen"), {"headline": "HM", "harmonic": {"HM": ["seen", "unseen"]}}, tmp_path / "a.png")
    (axes,) = drawn
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("seen (%)", "unseen (%)", "seen and unseen, average over data sets")
    texts = [text.get_text() for text in axes.texts]
    assert "Method 0" in texts
    assert any(text.startswith("HM = ") for text in texts)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_drawn_as_they_are_written_and_fit(name: str, tmp_path: Path, drawn: list[Axes]) -> None:
    one, other, headline = (f"{name}{i}" for i in range(3))
    setting = {"headline": headline, "harmonic": {headline: [one, other]}}
    path = draw(rows([(50, 60), (55, 58)], one, other, [name, f"{name} too"]), setting, tmp_path / "a.png", name)
    assert path.stat().st_size > 1000
    (axes,) = drawn
    texts = [*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label]
    assert not any(text.get_parse_math() for text in texts)
    assert all(len(text.get_text()) <= 90 and text.get_text().isprintable() for text in texts)


@pytest.mark.parametrize(
    ("entries", "setting", "reason"),
    [
        ([], H, "nothing to draw"),
        (rows([(1, 2)], "seen", "unseen"), H, "no method has averages of base and new"),
        (rows([(1, 2)]), {"headline": "accuracy", "harmonic": {}}, "accuracy is not declared a harmonic mean"),
    ],
)
def test_where_there_is_no_picture_one_line_says_why(
    entries: list[dict[str, Any]], setting: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(DepthubError, match=reason) as caught:
        draw(entries, setting, tmp_path / "c.png")
    assert "\n" not in str(caught.value)


def test_without_matplotlib_there_is_a_hint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(DepthubError, match=r"depthub\[plot\]"):
        draw(rows([(70, 60)]), H, tmp_path / "a.png")
