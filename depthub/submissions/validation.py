"""The checks of a submission: everything in it that can be derived is derived again, and every fault is listed, not only the first."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthub.boards.labels import row_label
from depthub.boards.rows import settings
from depthub.errors import DepthubError
from depthub.literature.leagues import LEAST, implied, league_of
from depthub.records import schema
from depthub.records.document_checks import content_sha256
from depthub.records.faults import Fault
from depthub.records.packed import packed_runs
from depthub.records.result import RunResult
from depthub.records.run_files import content
from depthub.spec import digest
from depthub.submissions import files
from depthub.submissions.definition import Cell, Definition
from depthub.submissions.files import LARGEST, RUNS, SUBMISSION, VERIFICATION
from depthub.submissions.rows import aggregates
from depthub.submissions.signatures import Signers
from depthub.submissions.verification import Verification, verifications
from depthub.values.text import plain

MOST = 50  # faults of one kind that are worth listing


@dataclass(frozen=True)
class FileFault:
    """A fault with its file.

    Args:
        file: in the submission's folder, with a line where it has lines; empty for the folder.
        fault: in it.
    """

    file: str
    fault: Fault

    def __str__(self) -> str:
        return plain(f"{self.file}: {self.fault}" if self.file else str(self.fault))

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {"file": plain(self.file), "field": plain(self.fault.field), "reason": plain(self.fault.reason)}


@dataclass(frozen=True)
class Verdict:
    """The outcome of the checks of a submission.

    Args:
        name: of its folder.
        faults: none for a valid one.
        document: as far as it could be read; empty if it could not.
        results: the readable runs.
        verifications: signed records that hold.
        sha256: of submission.json's bytes.
    """

    name: str
    faults: tuple[FileFault, ...]
    document: Mapping[str, Any]
    results: tuple[RunResult, ...] = ()
    verifications: tuple[Verification, ...] = ()
    sha256: str = ""

    @property
    def valid(self) -> bool:
        """Whether no fault was found."""
        return not self.faults


def require_name(name: str) -> str:
    """A name that a submission may have.

    Raises:
        DepthubError: for any other.
    """
    if not re.fullmatch(schema.load("submission")["properties"]["id"]["pattern"], name):
        raise DepthubError(f"name is {name!r}, expected 2 to 63 lower-case letters, digits and hyphens, such as coop-dept")
    return name


def validate(folder: Path, definition: Definition, signers: Signers | None = None) -> Verdict:
    """Check a submission.

    Args:
        folder: with its files.
        definition: of the board.
        signers: identities whose records count; None: signatures are not looked at.
    """
    if faults := [FileFault(file, Fault("", reason)) for file, reason in files.faults(folder)]:
        return Verdict(folder.name, tuple(faults), {})
    text = content(folder / SUBMISSION, LARGEST[SUBMISSION])
    sha256 = hashlib.sha256(text).hexdigest()
    try:
        document = schema.parse(text, SUBMISSION)
    except DepthubError as error:
        return Verdict(folder.name, (FileFault("", Fault("", str(error))),), {}, sha256=sha256)
    if of_form := [FileFault(SUBMISSION, fault) for fault in schema.faults(document, "submission")]:
        return Verdict(folder.name, tuple(of_form[:MOST]), {}, sha256=sha256)
    results, of_runs = _runs(folder / RUNS)
    of_document = [FileFault(SUBMISSION, fault) for fault in _of_document(document, folder, definition)]
    of_row = [*_of_row(document, results, definition)] if not of_runs else []
    records, faulty = verifications(folder / VERIFICATION, document, sha256, results, signers)
    of_records = [FileFault(file, fault) for file, fault in faulty]
    return Verdict(
        folder.name, (*of_document, *of_runs, *of_row, *of_records), document, tuple(results.values()), tuple(records), sha256=sha256
    )


def write(folder: Path, document: Mapping[str, Any], runs: bytes) -> dict[str, bytes]:
    """The files of a submission, the digests in its document set.

    Args:
        folder: whose name is the id.
        document: without `runs` and `sha256`.
        runs: the packed runs.

    Raises:
        DepthubError: if the document does not fit the schema.
    """
    fields = {**schema.header("submission"), **document, "runs": {"sha256": hashlib.sha256(runs).hexdigest(), "bytes": len(runs)}}
    fields |= {"sha256": content_sha256(fields)}
    schema.validate(fields, "submission", str(folder / SUBMISSION))
    return {SUBMISSION: json.dumps(fields, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n", RUNS: runs}


def _runs(path: Path) -> tuple[dict[str, RunResult], list[FileFault]]:
    """The readable runs by line, and the faults of the others."""
    try:
        lines = packed_runs(path)
    except DepthubError as error:
        return {}, [FileFault("", Fault("", str(error).replace(str(path), path.name)))]
    results: dict[str, RunResult] = {}
    faults = []
    for line in lines:
        place = line.source.replace(str(path), path.name)
        try:
            results[place] = line.read().result
        except DepthubError:
            faults += [FileFault(place, fault) for fault in line.faults()[:MOST]]
    return results, faults


def _of_document(document: Mapping[str, Any], folder: Path, definition: Definition) -> Iterator[Fault]:
    if document["id"] != folder.name:
        yield Fault("id", f"id is {document['id']!r}, the folder's name {folder.name!r}")
    if document["board"] != definition.name:
        yield Fault("board", f"board is {document['board']!r}, this is {definition.name!r}")
    if document["sha256"] != content_sha256(document):
        yield Fault("sha256", "sha256 is not the digest of the content; the file was edited, pack the submission again")
    if document["supersedes"] == document["id"]:
        yield Fault("supersedes", "a submission cannot supersede itself")
    least = implied(document["disclosures"])
    if document["league"] != least:
        yield Fault("league", f"league is {document['league']}, but the disclosures put the row into {least}")
    runs = content(folder / RUNS, LARGEST[RUNS])
    if document["runs"]["bytes"] != len(runs):
        yield Fault("runs.bytes", f"{document['runs']['bytes']}, but {RUNS} has {len(runs)}")
    if document["runs"]["sha256"] != hashlib.sha256(runs).hexdigest():
        yield Fault("runs.sha256", f"not the digest of {RUNS}; the file was edited, pack the submission again")


def _of_row(document: Mapping[str, Any], results: Mapping[str, RunResult], definition: Definition) -> Iterator[FileFault]:
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
    elif league_of(min(names)) > (document["league"] or LEAST):
        yield Fault("league", f"league is {document['league']}, but {min(names)} is known to be of {league_of(min(names))}")
    per_data, sets = document["disclosures"]["per_data_settings"], [data for row in rows for data in row.cells]
    if len(rows) > 1 and not per_data:
        yield Fault("spec", f"{len(rows)} recipes; expected one, or disclosures.per_data_settings")
    if per_data and len(sets) > len(set(sets)):
        yield Fault("spec", "settings differ between seeds of one data set")


def _other(stated: Mapping[str, Any], derived: Mapping[str, Any]) -> str:
    """The first number that differs, in words."""
    from depthub.values.flat import flat

    one, other = flat(dict(stated)), flat(dict(derived))
    for name in dict.fromkeys([*other, *one]):
        if digest(one.get(name)) != digest(other.get(name)):
            return f"{name} is {one.get(name, 'missing')}, the runs give {other.get(name, 'none')}"
    return "not what the runs give"
