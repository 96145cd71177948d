"""A submission from finished runs and a declaration: what its submitter says in a YAML file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from depthub.boards.labels import row_label
from depthub.boards.rows import settings
from depthub.errors import DepthubError, hint
from depthub.literature.leagues import implied
from depthub.records.document import StoredRun
from depthub.records.packed import pack
from depthub.records.result import RunResult
from depthub.records.run_files import content
from depthub.records.store import Store
from depthub.submissions.definition import SHARED, Definition
from depthub.submissions.rows import DISCLOSURES, aggregates
from depthub.submissions.validation import Verdict, validate, write
from depthub.system.files import atomic_write
from depthub.values.text import listed

LARGEST = 2**18  # bytes of a declaration
KEYS = ("submitter", "method", "disclosures", "claims", "supersedes")


def template(name: str, board: str) -> str:
    """A declaration to fill in.

    Args:
        name: of the submission.
        board: its name.
    """
    text = resources("depthub.submissions").joinpath("declaration.yaml").read_text(encoding="utf-8")
    return text.replace("NAME", name).replace("BOARD", board)


def packed(declaration: Path, runs: Path, definition: Definition, out: Path, row: str = "") -> Verdict:
    """Write a submission, and check it as a board checks it; nothing is written that a board would refuse.

    Args:
        declaration: the YAML file; its name is the submission's id.
        runs: the folder of the runs, or another place that `Store` reads; runs of other boards and methods may be there, too.
        definition: of the board.
        out: the folder that the submission's folder is written into.
        row: method and head, as on a board, if there are runs of several.

    Returns:
        The verdict, with faults or without.

    Raises:
        DepthubError: if the declaration or the runs cannot be used, or the place is taken.
    """
    fields = _declaration(declaration)
    folder = out / declaration.stem
    if folder.exists():
        raise DepthubError(f"{folder} is there already; remove it, or name the declaration otherwise")
    per_data_settings = fields["disclosures"]["per_data_settings"]
    chosen = _chosen(runs, definition, row, per_data_settings=per_data_settings)
    document = {
        **{"id": declaration.stem, "created": datetime.now(UTC).date().isoformat(), "licence": "CC-BY-4.0", "board": definition.name},
        **{"submitter": fields["submitter"], "method": fields["method"], "league": implied(fields["disclosures"])},
        **{"disclosures": fields["disclosures"], "claims": fields["claims"], "supersedes": fields["supersedes"], "withdrawn": None},
        "aggregates": aggregates([run.result for run in chosen]),
    }
    contents = write(folder, document, pack(chosen))
    return _written(folder, contents, definition)


def _written(folder: Path, contents: Mapping[str, bytes], definition: Definition) -> Verdict:
    """Write the files beside their place, check them there, and move the folder into place if they are right."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as temporary:
        draft = Path(temporary) / folder.name
        for name, text in contents.items():
            atomic_write(draft / name, text)
        verdict = validate(draft, definition)
        if verdict.valid:
            shutil.move(draft, folder)
    return verdict


def _declaration(path: Path) -> dict[str, Any]:
    """The fields of a declaration, with what is left out filled in.

    Raises:
        DepthubError: if it is not YAML, or has unknown keys.
    """
    try:
        fields = yaml.safe_load(content(path, LARGEST))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DepthubError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(fields, dict):
        raise DepthubError(f"{path} is not a declaration; `depthub submit new NAME` writes one to fill in")
    for key in fields:
        if key not in KEYS:
            raise DepthubError(f"{path}: unknown key {key!r}{hint(str(key), KEYS)}")
    disclosures = fields.get("disclosures") or {}
    if not isinstance(disclosures, dict) or not isinstance(fields.get("method"), dict):
        raise DepthubError(f"{path}: method and disclosures hold keys with values; `depthub submit new NAME` shows which")
    missing = [name for name in DISCLOSURES if not isinstance(disclosures.get(name), bool)]
    if missing:
        raise DepthubError(f"{path}: disclosures lacks {listed(missing)}; say true or false for each")
    method = {"commit": "", "paper": None, **fields["method"]}
    if isinstance(method["paper"], dict):
        method["paper"] = {key: value for key, value in method["paper"].items() if value not in (None, "")}
    return {
        "submitter": fields.get("submitter"),
        "method": method,
        "disclosures": {"notes": "", **disclosures},
        "claims": fields.get("claims") or [],
        "supersedes": fields.get("supersedes") or None,
    }


def _chosen(place: Path, definition: Definition, label: str, *, per_data_settings: bool) -> list[StoredRun]:
    """The runs of one row of the board.

    Raises:
        DepthubError: if there are none, or of several rows.
    """
    if not place.exists():
        raise DepthubError(f"no folder {place}; give the folder that holds the runs")
    runs = {run.result.spec.run_id: run for run in Store(place).stored() if isinstance(run, StoredRun)}
    of_board = {run_id: run for run_id, run in runs.items() if _fits(run.result, definition)}
    if not of_board:
        raise DepthubError(f"none of {len(runs)} runs in {place} has the protocol, backbone, shots, data and seeds of {definition.name}")
    rows = [row for of_setting in settings({name: run.result for name, run in of_board.items()}, {}) for row in of_setting]
    if per_data_settings:
        names = {row_label(row.spec): row for row in rows}
        by_label = {name: [run_id for row in rows if row_label(row.spec) == name for run_id in row.runs] for name in names}
    else:
        by_label = {row.label: list(row.runs) for row in rows}
    if label and label not in by_label:
        raise DepthubError(f"no row {label!r} among the runs in {place}{hint(label, by_label)}")
    if not label and len(by_label) > 1:
        raise DepthubError(f"runs of {len(by_label)} rows in {place}: {listed(sorted(by_label), 6)}; choose one with --row")
    return [of_board[run_id] for run_id in by_label[label or next(iter(by_label))]]


def _fits(run: RunResult, definition: Definition) -> bool:
    spec = run.spec.without_places().as_dict()
    return definition.cell_of(run) is not None and all(spec[key] == definition.document[key] for key in SHARED)


def claims_beside(document: Mapping[str, Any]) -> Sequence[tuple[str, float, float | None]]:
    """(place, printed, measured) of each claim of a submission's document, in percent."""
    lines = []
    for claim in document["claims"]:
        scores = (
            document["aggregates"]["average"] if claim["data"] == "average" else document["aggregates"]["per_data"].get(claim["data"], {})
        )
        measured = scores.get(claim["score"])
        lines.append((f"{claim['where']}, {claim['data']}, {claim['score']}", claim["value"], measured and measured["mean"]))
    return lines
