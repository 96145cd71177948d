"""Exhibits as files: Markdown to read, JSON with every number, and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthub.literature.consistency import findings
from depthub.literature.publications import publications
from depthub.paper.exhibit import Exhibit, paper
from depthub.paper.layouts import LAYOUTS
from depthub.paper.selection import Selection, name_of
from depthub.paper.shown import Shown
from depthub.records.document import dumps
from depthub.records.result import RunResult
from depthub.system.files import atomic_write
from depthub.system.provenance import version
from depthub.values.flat import flat
from depthub.values.text import listed, markdown

SCHEMA = "depthub paper 1"


@dataclass(frozen=True)
class Document:
    """An exhibit with what it shows.

    Args:
        selection: of its runs.
        shown: the grids, the numbers and the picture.
        lines: above the grids: what was measured, what is from print, and what the two have in common.
    """

    selection: Selection
    shown: Shown
    lines: Sequence[str]

    @property
    def exhibit(self) -> Exhibit:
        """The table or figure."""
        return self.selection.exhibit

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "schema": SCHEMA,
            "depthub_version": version("depthub") or "unknown",
            "exhibit": self.exhibit.name,
            "title": self.exhibit.title,
            "about": [*self.lines, *self.shown.notes],
            "publication": self.exhibit.publication if self.exhibit.table else "",
            "table": self.exhibit.table,
            "runs_missing": self.selection.missing,
            "runs": {name: [self._run(run) for run in results] for name, results in self.selection.results.items()},
            **self.shown.values,
        }

    def _run(self, run: RunResult) -> dict[str, Any]:
        """A run with its counts and the settings that exhibits vary, from which every average can be computed again."""
        spec, rows = run.spec, [name_of(row) for row in self.exhibit.rows if row.holds(run.spec)]
        settings = flat({"head": spec.head.as_dict(), "protocol": spec.protocol.as_dict()})
        counts = {task: [count.n_correct, count.n_total] for task, count in run.counts.items()}
        place = {"run_id": spec.run_id, "rows": rows, "data": spec.data.name, "shots": spec.shots, "seed": spec.seed}
        return {**place, **settings, "counts": counts}

    def markdown(self, pictures: Sequence[Path]) -> str:
        """The exhibit in GitHub's Markdown.

        Args:
            pictures: files beside it, of which the first is shown.
        """
        picture = [f"![{markdown(self.shown.caption)}]({pictures[0].name})\n\n{markdown(self.shown.caption)}"] if pictures else []
        about = "\n".join(f"- {markdown(line)}" for line in (*self.lines, *self.shown.notes))
        parts = [f"# {markdown(self.exhibit.title)}", about, *picture, *(grid.markdown() for grid in self.shown.grids)]
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path) -> list[Path]:
        """Write all files of the exhibit.

        Args:
            folder: that gets them.

        Returns:
            The Markdown file, the JSON file, then the pictures.

        Raises:
            DepthubError: if a file cannot be written, or a picture needs a package that is missing.
        """
        stem = folder / self.exhibit.name
        pictures = self.shown.picture(stem) if self.shown.picture else []
        files = [
            atomic_write(stem.with_suffix(".md"), self.markdown(pictures).encode()),
            atomic_write(stem.with_suffix(".json"), dumps(self.as_dict())),
        ]
        return [*files, *pictures]


def document(selection: Selection) -> Document:
    """What an exhibit shows, with the lines that say where its numbers come from."""
    return Document(selection, LAYOUTS[selection.exhibit.kind](selection), list(_about(selection)))


def contents(folder: Path) -> str:
    """A page that leads to the exhibits in a folder, in GitHub's Markdown.

    Args:
        folder: with the Markdown files of exhibits.
    """
    every = [*paper().exhibits.values(), *paper().beyond.values()]
    lines = [f"- [{markdown(one.title)}]({one.name}.md)" for one in every if (folder / f"{one.name}.md").is_file()]
    return "\n".join(["# Tables and figures", "", *lines]) + "\n"


def _about(selection: Selection) -> Iterator[str]:
    exhibit = selection.exhibit
    if exhibit.kind != "methods":
        yield _measured(selection)
    if selection.missing:
        yield f"Not complete: {selection.missing} runs failed or were not done; averages are over those that are there."
    if exhibit.table:
        yield from _from_print(selection)
    yield from exhibit.notes


def _measured(selection: Selection) -> str:
    if not selection.runs:
        return "Measured here: nothing; none of the runs is done."
    models = sorted({" ".join(filter(None, (run.spec.backbone.model, run.spec.backbone.pretrained))) for run in selection.runs})
    shots, seeds = (", ".join(map(str, numbers)) for numbers in (selection.shots, selection.seeds))
    where = f"{listed(selection.data, 12)}, {shots} images of each class"
    return f"Measured here: {len(selection.runs)} runs on {where}; seeds {seeds}; model {', '.join(models)}."


def _from_print(selection: Selection) -> Iterator[str]:
    exhibit = selection.exhibit
    publication = publications()[exhibit.publication]
    title = f"{publication.title} ({publication.year})" if publication.title else publication.url
    where = f"table {exhibit.table}" if exhibit.table[:1].isdigit() else exhibit.table
    yield f"From print: {where} of {exhibit.publication}, {title}, three runs each."
    if selection.same_model:
        yield "Spread: an exclamation mark stands where a difference from print lies outside the 95 % interval over seeds."
    else:
        yield (
            "The data sets and the model are not those in print: differences say how alike both look; they refute no printed number. "
            "An exclamation mark stands where a difference lies outside the 95 % interval over data sets."
        )
    rows = {row.printed for row in exhibit.rows}
    for finding in findings(exhibit.printed, publication.tables):
        if finding.number.row in rows:
            yield f"The print contradicts itself: {finding}."
