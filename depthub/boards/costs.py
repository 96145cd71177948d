"""Measured costs of methods beside the rows of a leaderboard."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError
from depthub.records import schema
from depthub.records.document import one_line_errors
from depthub.records.run_files import content
from depthub.spec import RunSpec
from depthub.system.files import atomic_write
from depthub.system.provenance import machine
from depthub.values.text import plain, short

FILE = "costs.json"  # beside a board's runs
COLUMNS: Mapping[str, tuple[str, float]] = {  # header of each measured number in a table, and the size of its unit
    "trained": ("trained", 1),
    "stored_bytes": ("stored, kB", 1e3),
    "step_flop": ("MFLOP a step", 1e6),
    "step_s": ("ms a step", 1e-3),
    "step_least_s": ("least", 1e-3),
    "step_largest_s": ("largest", 1e-3),
    "image_s": ("ms an image", 1e-3),
    "kept_bytes": ("kept for backward, MB", 1e6),
    "train_flop": ("GFLOP to train", 1e9),
    "train_s": ("s to train", 1),
    "encode_s": ("ms to encode an image", 1e-3),
    "test_flop": ("MFLOP to test an image", 1e6),
    "test_s": ("ms to test an image", 1e-3),
}
WIDE = ("prepare_flop", "train_flop")  # may be beyond the integers that every reader of JSON has
HEADERS = [name for name, _ in COLUMNS.values()]
NOTHING = "–"


def read(path: Path) -> dict[str, Any]:
    """A document of `depthub cost`.

    Raises:
        DepthubError: if the file is missing, is not such a document, or has two costs of one row.
    """
    try:
        with one_line_errors():
            document: dict[str, Any] = schema.parse(content(path, schema.LARGEST), str(path))
    except DepthubError as error:
        raise DepthubError(f"{error}; `depthub cost SUITE --out {path}` writes such a file") from error
    schema.validate(document, "costs", str(path))
    for entry in document["rows"]:
        entry["measured"] |= {key: round(entry["measured"][key]) for key in WIDE}
    _require_one_cost(document["rows"], path)
    return document


def write(path: Path, spec: RunSpec, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a document of costs.

    Args:
        path: of the file.
        spec: of one of the rows' runs: its data set and backbone are those of all.
        rows: `label`, `spec` as from `row_spec` and `measured` numbers of each.

    Raises:
        DepthubError: if it cannot be written.
    """
    backbone = spec.without_places().backbone
    where = {"machine": machine(), "data": spec.data.name, "backbone": "/".join(filter(None, (backbone.model, backbone.pretrained)))}
    document = {**schema.header("costs"), **where, "rows": [{**row, "measured": _written(row["measured"])} for row in rows]}
    schema.validate(document, "costs", str(path))
    atomic_write(path, f"{json.dumps(document, indent=1)}\n".encode())


def row_spec(spec: RunSpec) -> dict[str, Any]:
    """The spec of the row that a run belongs to: without its data set and seed."""
    return {key: value for key, value in spec.without_places().as_dict().items() if key not in ("data", "seed")}


def with_costs(board: Mapping[str, Any], costs: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A leaderboard with measured costs.

    Args:
        board: the document.
        costs: from `read`.

    Returns:
        The board, with the costs of each row whose spec was measured, none where several with other numbers fit what a submission's runs
        share; and the label of each entry that has no row.
    """
    rows = [_with_cost(row, _entry_of(row, costs["rows"])) for row in board["rows"]]
    where = {key: costs[key] for key in ("machine", "data", "backbone")}
    lacking = [entry for entry in costs["rows"] if not any(_agrees(entry["spec"], row["spec"]) for row in board["rows"])]
    return {**board, "rows": rows, "costs": where}, [plain(entry["label"]) for entry in lacking]


def table(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Label and measured costs of each row, see `HEADERS`; empty if there are none."""
    measured = [row["cost"].get("measured") for row in rows]
    without = ["not measured", *[NOTHING] * (len(COLUMNS) - 1)]
    return [[row["label"], *(cells(of) if of else without)] for row, of in zip(rows, measured, strict=True)] if any(measured) else []


def cells(measured: Mapping[str, Any], columns: Iterable[str] = COLUMNS) -> list[str]:
    """The measured costs of a row, in the units of `COLUMNS`."""
    return [f"{measured[key]:,}" if key == "trained" else _text(measured[key] / COLUMNS[key][1]) for key in columns]


def explanation(board: Mapping[str, Any]) -> str:
    """What the table of a board shows; names are as in the document."""
    place = "{data} with {backbone} ({machine})".format(**board["costs"])
    return (
        f"Each method measured alone on {place}: numbers that training changes, and bytes of a checkpoint; of a training step the "
        "operations, the median time and what it keeps for its backward pass; operations and time of a whole training, with what comes "
        "before its first step; of an image what is encoded before a training reads it, and its test from pixels to scores. Operations "
        "are those of matrix products, attention and convolutions. A dash: nothing."
    )


def _text(size: float) -> str:
    return NOTHING if not size else f"{size:,.3g}" if size < 1000 else f"{size:,.0f}"


def _written(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers as readers of JSON understand them alike: not all of them have integers as large as the operations of a training."""
    return {key: float(value) if key in WIDE and value >= schema.EXACT else value for key, value in measured.items()}


def _require_one_cost(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Refuse a row that was measured twice with different numbers."""
    first: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for place, entry in enumerate(rows):
        earlier, measured = first.setdefault(json.dumps(entry["spec"], sort_keys=True), (place, entry["measured"]))
        if measured != entry["measured"]:
            raise DepthubError(
                f"{path}: rows[{earlier}] and rows[{place}] are both costs of {short(plain(entry['label']))}, with other numbers; "
                "delete one of them"
            )


def _entry_of(row: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The entry of a row: that of its very spec, else the one that agrees with it."""
    fitting = [entry for entry in entries if _agrees(entry["spec"], row["spec"])]
    fitting = [entry for entry in fitting if entry["spec"] == row["spec"]] or fitting
    return fitting[0] if fitting and all(entry["measured"] == fitting[0]["measured"] for entry in fitting) else None


def _with_cost(row: Mapping[str, Any], entry: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**row, "cost": {**row["cost"], "measured": entry["measured"]}} if entry else dict(row)


def _agrees(spec: Any, row: Any) -> bool:
    """Whether a spec has all that a row's says; the row of a submission says only what all of its runs have in common."""
    if isinstance(spec, Mapping) and isinstance(row, Mapping):
        return all(key in spec and _agrees(spec[key], value) for key, value in row.items())
    return bool(spec == row)
