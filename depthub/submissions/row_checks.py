"""The runs of a submission as one row of its board: every cell once, one recipe, and averages that follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from depthub.boards.labels import row_label
from depthub.boards.rows import least_league, settings
from depthub.literature.leagues import LEAST
from depthub.records.faults import Fault
from depthub.records.result import RunResult
from depthub.spec import digest
from depthub.submissions.definition import Cell, Definition
from depthub.submissions.files import RUNS, SUBMISSION
from depthub.submissions.rows import aggregates
from depthub.submissions.verdict import FileFault
from depthub.values.flat import flat


def row_faults(document: Mapping[str, Any], results: Mapping[str, RunResult], definition: Definition) -> Iterator[FileFault]:
    """The runs beside the board's definition and beside one another, and the aggregates, if nothing else is wrong."""
    if not results:
        yield FileFault(RUNS, Fault("", "holds no runs"))
        return
    faults = [FileFault(place, fault) for place, run in results.items() for fault in definition.faults(run)]
    faults += [FileFault(RUNS, fault) for fault in _of_cells(list(results.values()), definition)]
    faults += [FileFault(RUNS, fault) for fault in _of_recipe(document, list(results.values()))]
    yield from faults
    if faults:
        return
    derived = aggregates(list(results.values()))
    for key, values in derived.items():
        if digest(document["aggregates"][key]) != digest(values):
            yield FileFault(SUBMISSION, Fault(f"aggregates.{key}", _other(document["aggregates"][key], values)))


def _of_cells(results: Sequence[RunResult], definition: Definition) -> Iterator[Fault]:
    present: dict[Cell, int] = {}
    for run in results:
        if cell := definition.cell_of(run):
            present[cell] = present.get(cell, 0) + 1
    for data, seed in definition.cells:
        number = present.get((data, seed), 0)
        if number != 1:
            yield Fault("", f"{number or 'no'} runs of {data} with seed {seed}, expected 1")


def _of_recipe(document: Mapping[str, Any], results: Sequence[RunResult]) -> Iterator[Fault]:
    """Whether all runs have one method, head and recipe, and the method's league is the declared one."""
    rows = [row for of_setting in settings({run.spec.run_id: run for run in results}, {}) for row in of_setting]
    names = {row_label(row.spec).replace(" ", "") for row in rows}
    if len(names) > 1:
        yield Fault("spec", f"runs of several methods: {', '.join(sorted(names))}")
    elif (least := max(least_league(row.spec) for row in rows)) > (document["league"] or LEAST):
        texts = "; its runs read class texts: disclose language_model_texts" if any("texts" in row.spec for row in rows) else ""
        yield Fault("league", f"league is {document['league']}, but {min(names)} is known to be of {least}{texts}")
    per_data, sets = document["disclosures"]["per_data_settings"], [data for row in rows for data in row.cells]
    if len(rows) > 1 and not per_data:
        yield Fault("spec", f"{len(rows)} recipes; expected one, or disclosures.per_data_settings")
    if per_data and len(sets) > len(set(sets)):
        yield Fault("spec", "settings differ between seeds of one data set")


def _other(stated: Mapping[str, Any], derived: Mapping[str, Any]) -> str:
    """The first number that differs, in words."""
    one, other = flat(dict(stated)), flat(dict(derived))
    for name in dict.fromkeys([*other, *one]):
        if digest(one.get(name)) != digest(other.get(name)):
            return f"{name} is {one.get(name, 'missing')}, the runs give {other.get(name, 'none')}"
    return "not what the runs give"
