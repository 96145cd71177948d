"""The runs that a report is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from depthub import boards
from depthub.boards.labels import row_label
from depthub.errors import DepthubError
from depthub.records.collection import Results, results
from depthub.records.entries import FILE
from depthub.records.result import RunResult
from depthub.site.reports.phrases import counted
from depthub.values.flat import flat
from depthub.values.text import plain, short

LONGEST = 120  # characters of a description in a message


def read_all(runs: Path | str | RunResult | Iterable[RunResult]) -> tuple[list[RunResult], list[dict[str, str]]]:
    """The runs, and `file` and `reason` of each that cannot be read.

    Args:
        runs: as for `report`.

    Raises:
        DepthubError: if nothing is there, or none of the runs can be used.
    """
    if not isinstance(runs, Path | str):
        left_out = runs.left_out if isinstance(runs, Results) else ()
        return list(results([runs] if isinstance(runs, RunResult) else runs)), [_without_place(error) for error in left_out]
    place = Path(runs)
    if (place / FILE).is_file():
        return list(results(place)), []
    return boards.readable(place)


def chosen(runs: Sequence[RunResult], only: Sequence[str]) -> list[RunResult]:
    """The runs in whose description one of the texts begins at a word; all of them without texts.

    Raises:
        DepthubError: if there is none.
    """
    if not only:
        return list(runs)
    words = [re.compile(rf"(?<!\w){re.escape(text)}", re.IGNORECASE) for text in only]  # CoOp is not the end of KgCoOp
    matching = [run for run in runs if any(word.search(described(run)) for word in words)]
    if not matching:
        example = f"; one of them is {short(described(runs[0]), LONGEST)!r}" if runs else ""
        raise DepthubError(f"only {', '.join(map(repr, only))} fits none of {counted(len(runs), 'run')}{example}")
    return matching


def described(run: RunResult) -> str:
    """A run in one line, for `only`: `CoOp + DePT on tones, BaseToNew, shapes, 16 shots, seed 1, method.n_ctx 4, ...`."""
    spec = run.spec.without_places()
    where = f"{row_label(spec.as_dict())} on {spec.data.name}, {spec.protocol.name}, {spec.backbone.model}"
    leaves = flat({kind: getattr(spec, kind).as_dict() for kind in ("method", "head", "protocol")})
    settings = [f"{name} {value}" for name, value in leaves.items() if "." in name]
    return plain(", ".join([where, counted(spec.shots, "shot"), f"seed {spec.seed}", *settings]))


def _without_place(error: DepthubError) -> dict[str, str]:
    """The reason without the folders above the run's, which are of this machine alone."""
    path = re.search(r"(?:[A-Za-z]:)?[/\\][^:]+", str(error))
    return boards.left_out(error, Path(path[0]).parent.parent if path else Path())
