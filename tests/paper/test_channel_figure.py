"""The picture of channel importance: what it shows, outliers and names of all kinds, and the same bytes for the same numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from depthub.errors import DepthubError
from depthub.paper import channel_figure
from depthub.paper.channel_figure import ChannelEntry, Wording, draw

HOSTILE = ["$\\frac{$", "a\nb \x1b[31m \u202e", "中文 🙂 שלום", "<img src=x>|&", "x" * 5000, "\ud800", "", "%s {} \\", "_hidden"]


def entry(label: str, data: str = "birds", shift: float = 0.0, channels: int = 64, seed: int = 0) -> ChannelEntry:
    generator = np.random.default_rng(seed)
    one, other = np.abs(generator.normal(1 + shift, 0.2, (2, channels)))
    return ChannelEntry(label, data, one, other - shift, 71.25)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that is saved meanwhile."""
    saved: list[Figure] = []
    save = Figure.savefig

    def keep(self: Figure, *args: Any, **options: Any) -> None:
        save(self, *args, **options)
        saved.append(self)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_same_numbers_give_the_same_file(form: str, tmp_path: Path) -> None:
    entries = [entry("CoOp"), entry("CoOp + DePT", shift=0.1), entry("CoOp", "cars", seed=1)]
    first, second = (draw(entries, tmp_path / f"{name}.{form}").read_bytes() for name in ("a", "b"))
    assert first == second
    assert first.startswith(b"\x89PNG" if form == "png" else b"<?xml")
    if form == "svg":
        assert ElementTree.fromstring(first.decode()).tag == "{http://www.w3.org/2000/svg}svg"
        assert b"<dc:date>" not in first


def test_the_points_are_the_numbers_in_the_order_of_the_first_task(figures: list[Figure], tmp_path: Path) -> None:
    run = entry("CoOp")
    draw([run], tmp_path / "a.png", Wording(tasks=("base", "new")))
    panel, densities = figures[0].axes
    order = np.argsort(run.one)
    points = {tuple(one.get_facecolor()[0][:3]): one.get_offsets() for one in panel.collections if len(one.get_offsets())}
    (legend,) = (band.legends[0] for band in figures[0].subfigs)
    colours = {text.get_text(): to_rgb(line.get_color()) for text, line in zip(legend.get_texts(), legend.legend_handles, strict=True)}
    assert points[colours["base"]][:, 1].tolist() == run.one[order].tolist()
    assert points[colours["new"]][:, 1].tolist() == run.other[order].tolist()
    assert points[colours["base"]][:, 0].tolist() == list(range(64))
    assert panel.get_title() == "CoOp\nH = 71.2"
    assert [text.get_text() for text in densities.get_legend().get_texts()] == ["CoOp, H = 71.2"]


def test_the_area_below_a_density_is_the_share_of_the_ratios_that_are_shown(figures: list[Figure], tmp_path: Path) -> None:
    run = entry("CoOp", channels=400)
    run.other[0] = run.one[0] / 50
    draw([run], tmp_path / "a.png")
    curve, line = figures[0].axes[1].get_lines()
    x, y = (np.asarray(values, dtype=float) for values in curve.get_data())
    beyond = int((run.one / run.other > x[-1]).sum())
    assert x[-1] < 4
    assert 1 <= beyond < 4
    assert np.trapezoid(y, x) == pytest.approx(1 - beyond / 400, abs=0.002)
    assert list(line.get_xdata()) == [1, 1]
    assert f"{beyond} ratios lie beyond" in figures[0].get_supxlabel()


def test_points_above_the_axis_are_drawn_at_its_end_and_counted(figures: list[Figure], tmp_path: Path) -> None:
    run = entry("CoOp", channels=400)
    run.other[5] = 99.0
    draw([run], tmp_path / "a.png")
    panel = figures[0].axes[0]
    assert panel.get_ylim()[1] < 4
    heights = np.concatenate([np.asarray(one.get_offsets())[:, 1] for one in panel.collections])
    assert len(heights) == 800
    assert heights.max() <= panel.get_ylim()[1]
    assert "1 points (triangles)" in figures[0].get_supxlabel()


def test_texts_do_not_overlap_and_stay_inside(figures: list[Figure], tmp_path: Path) -> None:
    labels = ["CoOp", "CoOp + DePT", "A method with a very long name and settings", "ZeroShot", "Oracle"]
    entries = [entry(label, data, seed=i) for data in ("birds", "cars") for i, label in enumerate(labels[: 5 if data == "birds" else 2])]
    draw(entries, tmp_path / "a.png", Wording("Channel importance"))
    figure = figures[0]
    figure.draw_without_rendering()
    for axes in figure.axes:
        texts = [axes.title, axes.xaxis.label, axes.yaxis.label]
        boxes = [text.get_window_extent() for text in texts if text.get_text()]
        assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and box.y0 >= figure.bbox.y0 for box in boxes)
        others = [text.get_window_extent() for other in figure.axes if other is not axes for text in (other.title, other.xaxis.label)]
        assert not any(box.overlaps(other) for box in boxes for other in others)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 7])
def test_the_names_of_the_runs_cover_no_density(number: int, figures: list[Figure], tmp_path: Path) -> None:
    draw([entry(f"run {i}", seed=i) for i in range(number)], tmp_path / "a.png")
    axes = figures[0].axes[-1]
    figures[0].draw_without_rendering()
    lowest = axes.transData.inverted().transform((0, axes.get_legend().get_window_extent().y0))[1]
    assert max(np.max(line.get_ydata()) for line in axes.get_lines()[:number]) < lowest


@pytest.mark.parametrize("number", [1, 2, 3, 4, 7])
def test_the_lines_of_panels_are_filled(number: int, figures: list[Figure], tmp_path: Path) -> None:
    draw([entry(f"run {i}", seed=i) for i in range(number)], tmp_path / "a.png")
    assert len(figures[0].axes) == number + 1
    columns = {round(axes.get_position().x0, 2) for axes in figures[0].axes}
    assert len(columns) == {1: 2, 2: 3, 3: 4, 4: 3, 7: 4}[number]


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_all_kinds(text: str, tmp_path: Path) -> None:
    wording = Wording(text, (text, "new"), text, 64)
    assert draw([entry(text, text)], tmp_path / "a.png", wording).stat().st_size > 1000
    ElementTree.fromstring(draw([entry(text, text)], tmp_path / "a.svg", wording).read_text("utf-8"))


@pytest.mark.parametrize("one", [np.zeros(5), np.ones(5), np.arange(5.0), np.full(1, 2.0)])
@pytest.mark.parametrize("other", [0.0, 1.0])
def test_odd_numbers(one: np.ndarray, other: float, tmp_path: Path) -> None:
    assert draw([ChannelEntry("a", "b", one, np.full(len(one), other), 0.0)], tmp_path / "a.png").stat().st_size > 1000


def test_what_cannot_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DepthubError, match=r"a.gif is no picture that can be drawn; expected a name that ends in .png or .svg"):
        draw([entry("a")], tmp_path / "a.gif")
    with pytest.raises(DepthubError, match="no run has channels, nothing to draw"):
        draw([], tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DepthubError, match=r"the pictures need matplotlib: pip install 'depthub\[plot\]'"):
        draw([entry("a")], tmp_path / "a.png")


def test_nothing_is_drawn_through_pyplot() -> None:
    assert "pyplot" not in Path(channel_figure.__file__).read_text()
