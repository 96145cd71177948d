"""The pages of boards, written as files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from depthub.errors import DepthubError
from depthub.site import views
from depthub.site.papers import papers
from depthub.site.rendering import renderer
from depthub.submissions.rows import DISCLOSURES
from depthub.system.files import atomic_write

ASSETS = ("site.css", "site.js")
MARK = ".depthub-site"  # a file that tells a site's folder from others


def write(places: Sequence[Path], out: Path, descriptions: Mapping[str, str] | None = None) -> list[Path]:
    """Write the site of boards; the same boards give the same bytes.

    Args:
        places: boards' folders, or folders of such folders.
        out: the site's folder; pages of an earlier site in it are removed.
        descriptions: of methods, heads and data sets by name, one paragraph each.

    Returns:
        The pages.

    Raises:
        DepthubError: if there are no boards, or the folder holds other things.
    """
    pages = dict(_pages(views.read(places), descriptions or {}))
    _clear(out)
    for name in ASSETS:
        atomic_write(out / "assets" / name, files("depthub.site").joinpath("assets", name).read_bytes())
    atomic_write(out / MARK, b"")
    return [atomic_write(out / name, text.encode()) for name, text in pages.items()]


def _pages(boards: Sequence[views.Board], descriptions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and text of every page."""
    of_boards = {board.slug: views.entries(board) for board in boards}
    everything = [entry for entries in of_boards.values() for entry in entries]
    methods, data = views.methods(everything, descriptions), views.data_sets(everything, descriptions)
    render = renderer()
    yield "index.html", render("index", "", entries=everything)
    for board in boards:
        yield f"boards/{board.slug}.html", render("board", "../", board=board, entries=of_boards[board.slug])
    printed = papers()
    names = [{"slug": paper["slug"], "name": f"{paper['title'] or paper['name']} ({paper['name']})"} for paper in printed]
    for kind, items, title, summary in (
        ("methods", methods, "Methods", "All methods of the boards, with every result."),
        ("data", data, "Data sets", "All data sets of the boards, with every result."),
        ("papers", names, "Papers", "Numbers in print: what they can tell apart, and where they contradict themselves."),
    ):
        yield f"{kind}/index.html", render("list", "../", title=title, summary=summary, items=items)
    for paper in printed:
        yield f"papers/{paper['slug']}.html", render("paper", "../", paper=paper)
    for method in methods:
        yield f"methods/{method['slug']}.html", render("method", "../", method=method)
    for data_set in data:
        yield f"data/{data_set['slug']}.html", render("data", "../", data=data_set)
    yield "submit.html", render("submit", "", disclosures=DISCLOSURES)


def _clear(out: Path) -> None:
    """Remove an earlier site.

    Raises:
        DepthubError: if the folder holds something else.
    """
    if out.is_dir() and any(out.iterdir()):
        if not (out / MARK).is_file():
            raise DepthubError(f"{out} is not empty and not a site that depthub wrote; choose another folder")
        for path in list(out.iterdir()):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
