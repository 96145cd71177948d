"""`depthub.report`: any set of finished runs as one page, complete in one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from depthub import boards
from depthub.boards.measured import measured
from depthub.site import views
from depthub.site.rendering import renderer
from depthub.site.reports import selection
from depthub.site.reports.cautions import KINDS, Caution, cautions
from depthub.site.reports.part import parts
from depthub.site.reports.phrases import counted
from depthub.site.reports.settings import section
from depthub.site.reports.summary import summary
from depthub.system.files import atomic_write
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.records.result import RunResult

HEIGHT = "44rem"  # of the page within a notebook
FEW = 8  # warnings of a kind that are shown at once; rows that are read without a filter


@dataclass(frozen=True)
class Report:
    """A page about finished runs. A notebook displays it in a frame of its own, so that neither changes the other's looks. Made by
    `depthub.report`.

    Args:
        title: of the page.
        html: its text: complete, without a request elsewhere.
        warnings: its warnings as plain sentences, in their order on the page.
        runs: number of the runs.
    """

    title: str
    html: str = field(repr=False)
    warnings: tuple[str, ...] = field(repr=False)
    runs: int

    def save(self, path: Path | str) -> Path:
        """Write the page as a file, whole or not at all.

        Returns:
            The path.

        Raises:
            DepthubError: if the system refuses.
        """
        return atomic_write(Path(path), self.html.encode())

    def _repr_html_(self) -> str:
        """The page in a frame, for notebooks; it cannot reach the notebook."""
        style = f"width: 100%; height: {HEIGHT}; border: 0"
        return f'<iframe title="{escape(plain(self.title))}" sandbox="allow-scripts" style="{style}" srcdoc="{escape(self.html)}"></iframe>'


def report(runs: Path | str | RunResult | Iterable[RunResult], *, title: str = "", only: Sequence[str] = ()) -> Report:
    """A page about finished runs: warnings first, then for each setting its tables, pictures, gains, settings, origins and costs.

    The same runs give the same page, in whatever order and place they are.

    Args:
        runs: a folder of runs or of packed runs, a packed file, a board's folder, or the folder of one run; or one result or several.
            Unreadable runs in a folder are named on the page.
        title: of the page; by default the number of runs.
        only: texts; a run stays if one of them begins at a word of its description, which is like `CoOp + DePT on tones, BaseToNew,
            shapes, 16 shots, seed 1, method.n_ctx 4`.

    Raises:
        DepthubError: if there are no runs, or none that `only` fits, one is there twice, or runs of one setting cannot be compared.
    """
    readable, left_out = selection.read_all(runs)
    chosen = selection.chosen(readable, only)
    document = boards.board(chosen, title or f"Report on {counted(len(chosen), 'run')}", left_out=left_out)
    by_id = {run.spec.run_id: run for run in sorted(chosen, key=lambda run: run.spec.run_id)}
    of_settings = list(parts(document, by_id))
    gains = {part.name: measured(part.runs.values()) for part in of_settings}
    warnings = cautions(of_settings, {name: remarks for name, (_, remarks) in gains.items()}, left_out, list(by_id.values()))
    entries = views.entries(views.Board("report", document))
    sections = [section(part, entry, gains[part.name][0]) for part, entry in zip(of_settings, entries, strict=True)]
    page = renderer()(
        "report",
        "",
        title=document["title"],
        summary=summary(of_settings, list(by_id.values())),
        cautions=_by_kind(warnings),
        few=FEW,
        sections=sections,
        inputs=document["inputs_sha256"],
        style=_asset("site.css"),
        script=_asset("site.js"),
    )
    return Report(document["title"], page, tuple(plain(warning.text) for warning in warnings), len(chosen))


def _by_kind(warnings: Sequence[Caution]) -> Mapping[str, list[str]]:
    """Sentences by the heading of their kind."""
    by_kind: dict[str, list[str]] = {}
    for warning in warnings:
        by_kind.setdefault(KINDS[warning.kind], []).append(warning.text)
    return by_kind


def _asset(name: str) -> Markup:
    """A file of the pages, as part of a page."""
    return Markup(files("depthub.site").joinpath("assets", name).read_text(encoding="utf-8"))
