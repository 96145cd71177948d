"""Measured costs of methods beside the rows of a leaderboard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError
from depthub.records import schema
from depthub.spec import BackboneSpec
from depthub.system.files import atomic_write
from depthub.system.provenance import machine
from depthub.values.text import plain

FILE = "costs.json"  # beside a board's runs
COLUMNS: Mapping[str, tuple[str, float]] = {  # header of each measured number in a table, and the size of its unit
    "step_flop": ("MFLOP a step", 1e6),
    "step_s": ("ms a step", 1e-3),
    "kept_bytes": ("kept for backward, MB", 1e6),
    "prepare_s": ("before the first step, ms", 1e-3),
    "encode_s": ("ms to encode an image", 1e-3),
    "test_s": ("ms to test an image", 1e-3),
    "stored_bytes": ("stored, kB", 1e3),
}


def read(path: Path) -> dict[str, Any]:
    """A document of `depthub cost`.

    Raises:
        DepthubError: if the file is missing, or is not such a document.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DepthubError(f"cannot read {path}: {error}; `depthub cost SUITE --out {path}` writes such a file") from error
    schema.validate(document, "costs", str(path))
    return document  # type: ignore[no-any-return]


def write(path: Path, data: str, backbone: BackboneSpec, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a document of costs.

    Args:
        path: of the file.
        data: the data set that they were measured on.
        backbone: the model, without places.
        rows: `label`, `method`, `head` and `measured` numbers of each.

    Raises:
        DepthubError: if it cannot be written.
    """
    where = {"machine": machine(), "data": data, "backbone": "/".join(filter(None, (backbone.model, backbone.pretrained)))}
    document = {**schema.header("costs"), **where, "rows": [*rows]}
    schema.validate(document, "costs", str(path))
    atomic_write(path, f"{json.dumps(document, indent=1)}\n".encode())


def with_costs(board: Mapping[str, Any], costs: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A leaderboard with measured costs.

    Args:
        board: the document.
        costs: from `read`.

    Returns:
        The board, whose rows have the costs of their method and head; and the label of each entry that has no row.
    """
    entries = {_key(entry): entry for entry in costs["rows"]}
    rows = [_with_cost(row, entries.get(_key(row["spec"]))) for row in board["rows"]]
    lacking = entries.keys() - {_key(row["spec"]) for row in rows}
    measured = {key: costs[key] for key in ("machine", "data", "backbone")}
    return {**board, "rows": rows, "costs": measured}, [plain(entry["label"]) for key, entry in entries.items() if key in lacking]


def tables(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]] | None:
    """Header and cells of the measured costs of rows; None if there are none."""
    if not any("measured" in row["cost"] for row in rows):
        return None
    header = ["method", "trained", *(name for name, _ in COLUMNS.values())]
    return header, [[row["label"], *_cells(row["cost"].get("measured"))] for row in rows]


def _cells(measured: Mapping[str, Any] | None) -> list[str]:
    if measured is None:
        return ["–"] * (1 + len(COLUMNS))
    sizes = (measured[key] / unit for key, (_, unit) in COLUMNS.items())
    return [f"{measured['trained']:,}", *("–" if not size else f"{size:,.3g}" if size < 1000 else f"{size:,.0f}" for size in sizes)]


def _with_cost(row: Mapping[str, Any], entry: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**row, "cost": {**row["cost"], "measured": entry["measured"]}} if entry else dict(row)


def _key(spec: Mapping[str, Any]) -> str:
    return json.dumps([spec["method"], spec["head"]], sort_keys=True)
