"""Pictures as PNG and SVG files, the same bytes for the same numbers, in colours that people with colour-blindness can tell apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthub.boards.plot import any_script
from depthub.errors import DepthubError
from depthub.system.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours
BLACK, VERMILION, BLUE, GREEN, PURPLE, ORANGE, SKY, GRAY = (
    *("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    "#767676",
)
FORMATS: Mapping[str, Mapping[str, Any]] = {  # without the time of drawing, so that the same numbers give the same file
    ".png": {"dpi": 200, "metadata": {"Software": None}},
    ".svg": {"metadata": {"Date": None, "Creator": None}},
}


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Args:
        label: in the legend.
        x, y: as many values each; y in percent.
        spread: half-lengths of the error bars, or none.
        colour, marker, style: as matplotlib names them.
        is_printed: from print: thinner, without error bars.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    spread: Sequence[float] = ()
    colour: str = BLACK
    marker: str = "o"
    style: str = "-"
    is_printed: bool = False


def require_matplotlib() -> None:
    """Refuse to go on where there is no matplotlib, before the work that a picture is to show.

    Raises:
        DepthubError: with the remedy.
    """
    if find_spec("matplotlib") is None:
        raise DepthubError("the pictures need matplotlib: pip install 'depthub[plot]'")


def save(fill: Callable[[Figure], None], size: tuple[float, float], stem: Path) -> list[Path]:
    """Draw a picture into two files, PNG and SVG; arguments and errors as `draw_into`, with the path of both without its ending."""
    return [draw_into(fill, size, stem.with_suffix(ending)) for ending in FORMATS]


def draw_into(fill: Callable[[Figure], None], size: tuple[float, float], path: Path) -> Path:
    """Draw a picture into a file.

    Args:
        fill: draws into an empty figure.
        size: in inches.
        path: of the PNG or SVG file.

    Returns:
        `path`.

    Raises:
        DepthubError: if matplotlib is missing, the file is to have another form, or it cannot be written.
    """
    if path.suffix not in FORMATS:
        raise DepthubError(f"{path} is no picture that can be drawn; expected a name that ends in {' or '.join(FORMATS)}")
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure, content = Figure(figsize=size, layout="constrained"), BytesIO()
    # identifiers in SVG come from a hash, and letters are drawn as outlines, so that no reader needs the font
    with any_script(), rc_context({"svg.hashsalt": "depthub", "svg.fonttype": "path"}):
        fill(figure)
        figure.savefig(content, format=path.suffix[1:], **FORMATS[path.suffix])
    return atomic_write(path, content.getvalue())


def plot(axes: Axes, lines: Sequence[Line], x: str, y: str = "accuracy (%)", title: str = "") -> None:
    """Draw lines with their error bars; those from print are thin, with hollow marks.

    Args:
        axes: empty.
        lines: in the order of the legend.
        x, y: names of the axes.
        title: above.
    """
    for line in lines:
        look = {"linewidth": 1.0, "markerfacecolor": "white", "alpha": 0.75} if line.is_printed else {"linewidth": 1.8}
        axes.errorbar(
            line.x,
            line.y,
            yerr=list(line.spread) or None,
            label=line.label,
            color=line.colour,
            marker=line.marker,
            linestyle=line.style,
            markersize=5,
            capsize=2.5,
            elinewidth=1.0,
            **look,
        )
    axes.set_xlabel(x, parse_math=False)
    axes.set_ylabel(y, parse_math=False)
    axes.set_title(title, fontsize=10, parse_math=False)
    bare(axes)


def bare(axes: Axes) -> None:
    """Axes without a frame on top and right, with a faint grid."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(visible=True, linewidth=0.5, color="#dddddd")
    axes.set_axisbelow(True)


def legend(axes: Axes, columns: int = 1) -> None:
    """A legend below the axes, where it hides no mark."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=columns, fontsize=8, frameon=False)
