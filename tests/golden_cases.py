"""The recorded cases, and changed copies of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent / "golden"
Change = Callable[[dict[str, Any], dict[str, Any]], Any]  # of the JSON and the arrays


def copied(name: str, folder: Path) -> Path:
    for part in ("json", "npz"):
        (folder / f"{name}.{part}").write_bytes((HERE / f"{name}.{part}").read_bytes())
    return folder / f"{name}.json"


def changed(case: Path, change: Change) -> Path:
    """The case after a change of its JSON and arrays; the JSON's list of arrays is removed, since it may no longer be true."""
    meta, arrays = json.loads(case.read_text()), dict(np.load(case.with_suffix(".npz")))
    meta.pop("arrays", None)
    change(meta, arrays)
    case.write_text(json.dumps(meta))
    np.savez(case.with_suffix(".npz"), **arrays)
    return case


def altered(array: str, by: float) -> Change:
    def change(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        arrays[array].flat[0] += by

    return change
