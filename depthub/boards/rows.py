"""Rows of a leaderboard: runs that differ in data set and seed only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from depthub.boards.labels import distinct, row_label
from depthub.errors import DepthubError
from depthub.literature.leagues import LEAST, TEXTS, league_of
from depthub.records.result import RunResult
from depthub.spec import digest

Level = Literal["reported", "self-run", "checked", "reproduced"]


@dataclass(frozen=True)
class Declared:
    """What is said about a row beside its numbers.

    Args:
        submission: its id; empty for a board's own rows. The runs of a submission are one row, also if settings differ between data sets.
        level: how far the numbers were checked.
        league: what the row used, see `literature.leagues`.
        disclosures: what it used beyond the board and one recipe, by name.
    """

    submission: str
    level: Level
    league: str
    disclosures: tuple[str, ...] = ()


@dataclass
class Row:
    """Runs that differ in data and seed only.

    Args:
        spec: as plain data, without data and seed.
        cells: run ids by data set's label, then seed.
        runs: by run id.
        label: unlike that of every other row of the setting.
        declared: beside the numbers.
    """

    spec: dict[str, Any]
    cells: dict[str, dict[int, str]] = field(default_factory=dict)
    runs: dict[str, RunResult] = field(default_factory=dict)
    label: str = ""
    declared: Declared = Declared("", "self-run", LEAST)

    @property
    def untrained(self) -> bool:
        """Whether no run trained a parameter, so that others are compared with this row, whatever its name."""
        return all(run.cost.get("params_trainable") == 0 for run in self.runs.values())

    @property
    def shared(self) -> dict[str, Any]:
        """Protocol and backbone, class texts, and the league unless it is the usual one: rows that agree in them can be compared."""
        league = {} if self.declared.league == LEAST else {"league": self.declared.league}
        return {key: self.spec[key] for key in ("protocol", "backbone", "texts") if key in self.spec} | league

    def in_order(self) -> list[tuple[str, int, str]]:
        """(data set, seed, run id) of each run, sorted."""
        return [(data, seed, run_id) for data in sorted(self.cells) for seed, run_id in sorted(self.cells[data].items())]

    def scores(self, data: str) -> dict[int, Mapping[str, float]]:
        """Scores in percent on one data set, by seed."""
        return {seed: self.runs[run_id].scores for seed, run_id in sorted(self.cells[data].items())}


def settings(runs: Mapping[str, RunResult], declared: Mapping[str, Declared]) -> list[list[Row]]:
    """Rows of the runs in groups that can be compared; labels are set.

    Args:
        runs: by run id.
        declared: by run id; of a run that is not there the league follows from the names of its method and head, and from class texts.

    Raises:
        DepthubError: if comparable runs of one data set and seed had other test images.
    """
    comparable: dict[str, list[Row]] = {}
    for row in _rows(runs, declared):
        comparable.setdefault(digest(row.shared), []).append(row)
    for rows in comparable.values():
        for row, label in zip(rows, distinct([row_label(row.spec) for row in rows], [row.spec for row in rows]), strict=True):
            row.label = label
        _check_same_images(rows)
    return list(comparable.values())


def reference(row: Row, untrained: Sequence[Row]) -> Row | None:
    """The one of the untrained rows of a setting to compare a row with; None for themselves, and where several fit."""
    if any(other is row for other in untrained):
        return None
    alike = [other for other in untrained if all(other.spec.get(key) == row.spec.get(key) for key in ("shots", "training"))]
    candidates = alike if len(untrained) > 1 else untrained
    return candidates[0] if len(candidates) == 1 else None


def least_league(spec: Mapping[str, Any]) -> str:
    """The league of a row by its spec: of the names of its method and head, or that of texts where it reads some."""
    return max(league_of(row_label(spec).replace(" ", "")) or LEAST, TEXTS if "texts" in spec else LEAST)


def _rows(runs: Mapping[str, RunResult], declared: Mapping[str, Declared]) -> list[Row]:
    # Without places: a run of a moment ago and one read from its file are of the same row.
    specs = {run_id: run.spec.without_places().as_dict() for run_id, run in runs.items()}
    digests = {text: digest(spec["data"]) for text, spec in {repr(spec["data"]): spec for spec in specs.values()}.items()}
    data = {run_id: digests[repr(spec["data"])] for run_id, spec in specs.items()}
    sets = {data[run_id]: spec.pop("data") for run_id, spec in specs.items()}
    labels = dict(zip(sets, distinct([entry["name"] for entry in sets.values()], list(sets.values())), strict=True))
    rows: dict[str, Row] = {}
    for run_id, spec in specs.items():
        seed = spec.pop("seed")
        declaration = declared.get(run_id) or Declared("", "self-run", least_league(spec))
        whole = f"submission {declaration.submission}" if declaration.submission else digest(spec)  # a submission is one row
        row = rows.setdefault(whole, Row(spec, declared=declaration))
        row.spec = _common(row.spec, spec)
        row.cells.setdefault(labels[data[run_id]], {})[seed] = run_id
        row.runs[run_id] = runs[run_id]
    return list(rows.values())


def _common(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The settings in which two specs agree; of method, head and training all keys stay, with those settings that agree."""
    if one == other:
        return one
    return {
        key: _common(one[key], other[key]) if isinstance(one[key], dict) and isinstance(other[key], dict) else one[key]
        for key in one
        if key in other and (one[key] == other[key] or isinstance(one[key], dict))
    }


def _check_same_images(rows: Sequence[Row]) -> None:
    first: dict[tuple[str, int, str], str] = {}
    runs = {run_id: run for row in rows for run_id, run in row.runs.items()}
    for data, seed, run_id in [cell for row in rows for cell in row.in_order()]:
        for task in runs[run_id].counts:
            other_id = first.setdefault((data, seed, task), run_id)
            if fault := _other_images((other_id, runs[other_id]), (run_id, runs[run_id]), task):
                raise DepthubError(
                    f"{data}, seed {seed}, task {task!r}: {fault}; the data set changed in between, delete the older run and repeat it"
                )


def _other_images(one: tuple[str, RunResult], other: tuple[str, RunResult], task: str) -> str:
    """The difference between the test images of two runs, as far as both recorded them; empty if there is none."""
    (id_one, run_one), (id_other, run_other) = one, other
    totals = [run.counts[task].n_total for run in (run_one, run_other)]
    if totals[0] != totals[1]:
        return f"{totals[0]} test images in run {id_one[:12]}, {totals[1]} in run {id_other[:12]}"
    digests = {run.tasks[task].images_sha256 for run in (run_one, run_other) if task in run.tasks}
    return f"other test images in run {id_one[:12]} than in run {id_other[:12]}" if len(digests - {""}) > 1 else ""
