"""Runs for reports, each with an origin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from depthub.records.result import RunResult
from depthub.spec import Component
from tests.boards.runs import result

ORIGIN: Mapping[str, Any] = {
    "depthub": {"version": "1.0", "commit": "a" * 40, "dirty": False},
    "python": "3.12.1",
    "packages": {"torch": "2.10.0", "accelerate": "1.10"},
    "hardware": {"cpu": "A processor", "cores": 4, "ram_bytes": None, "accelerators": []},
    "execution": {"world_size": 1, "threads": 4, "linear": "torch"},
    "inputs": {
        "code": {"methods M": {"distribution": "depthub", "version": "1.0", "sha256": "c" * 64}},
        "data": {},
        "backbone": "b" * 64,
    },
    "data_sha256": {"tones": "d" * 64},
    "backbone_sha256": "b" * 64,
}
SETS, SEEDS = ("digits", "flags", "tones", "weaves"), (1, 2, 3)


def origin(**changes: Any) -> dict[str, Any]:
    """`ORIGIN` with other values, by dotted name with `__` for the dot."""
    values: dict[str, Any] = json.loads(json.dumps(ORIGIN))
    for name, value in changes.items():
        *folders, last = name.split("__")
        place = values
        for folder in folders:
            place = place[folder]
        place[last] = value
    return values


def runs(method: str, points: int, head: str = "ITM", balance: float | None = None, spread: int = 1, **changes: Any) -> list[RunResult]:
    """A row on every data set with every seed, with base and new at `points`, and every other seed `spread` points above."""
    settings = {} if balance is None else {"balance": balance}
    row = []
    for place, data in enumerate(SETS):
        for seed in SEEDS:
            of_run = points + place + spread * (seed % 2)
            run = result(method, head, data, seed, of_run, of_run)
            row.append(replace(run, spec=replace(run.spec, head=Component(head, settings)), **{"provenance": ORIGIN, **changes}))
    return row


def clean() -> list[RunResult]:
    """A host, its control far below, and a row far above: nothing to warn of."""
    return [*runs("CoOp", 60), *runs("CoOp", 40, "DePT", 0.0), *runs("CoOp", 80, "DePT", 0.7)]
