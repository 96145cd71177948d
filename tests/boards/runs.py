"""Runs of small made-up numbers for leaderboards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from depthub.protocol import Count, Summary
from depthub.records.result import RunResult  # a name that pytest does not take for a test
from depthub.records.store import Store
from depthub.spec import Component, DataSpec, RunSpec, Training
from depthub.statistics.averages import harmonic

H = Summary("H", {"H": ("base", "new")})


def result(method: str, head: str = "ITM", data: str = "tones", seed: int = 1, base: int = 60, new: int = 70, **spec: Any) -> RunResult:
    """A run with so many of 100 base and new images right."""
    run_spec = RunSpec(Component(method), Component(head), data=DataSpec(data), seed=seed, **{"training": Training(), **spec})
    counts = {"base": Count(base, 100), "new": Count(new, 100)}
    scores = {"base": float(base), "new": float(new), "H": harmonic(base, new)}
    cost = {"params_trainable": 0 if method == "ZeroShot" else 2048, "train_s": 1.0, "eval_s": 0.5}
    return RunResult(run_spec, counts, scores, cost=cost, summary=H)


def three(seeds: tuple[int, ...] = (1, 2, 3), data: tuple[str, ...] = ("tones", "flags")) -> list[RunResult]:
    """Three methods, the trained ones a little different with each seed."""
    kinds = (("ZeroShot", "ITM", 65, 71), ("CoOp", "ITM", 78, 63), ("CoOp", "DePT", 82, 72))
    return [
        result(method, head, name, seed, base + seed * (method == "CoOp"), new - seed * (method == "CoOp"))
        for method, head, base, new in kinds
        for name in data
        for seed in seeds
    ]


def labels(document: dict[str, Any]) -> list[str]:
    return [row["label"] for row in document["rows"]]


def row(document: dict[str, Any], label: str) -> dict[str, Any]:
    (match,) = (r for r in document["rows"] if r["label"] == label)
    return dict(match)


def saved(folder: Path, runs: list[RunResult]) -> Path:
    for run in runs:
        Store(folder).save(run)
    return folder


def other(seen: float, unseen: float, seed: int = 1, summary: Summary | None = None, **scores: float) -> RunResult:
    """A run of a protocol that is not installed, with scores of its own names."""
    run = result("CoOp", seed=seed, protocol=Component("Elsewhere"))
    return replace(run, scores={"seen": seen, "unseen": unseen, "HM": harmonic(seen, unseen), **scores}, summary=summary)


HM = Summary("HM", {"HM": ("seen", "unseen")})


def spoil(runs: Path) -> list[str]:
    """Damage three runs in three ways, and add a dangling link; returns the folders' names."""
    folders = sorted(path for path in runs.iterdir())[:4]
    cut, forged, moved, replaced = (folder / "run.json" for folder in folders)
    cut.write_text(cut.read_text()[:100])
    document = json.loads(forged.read_text())
    document["scores"]["new"] = 99.9
    forged.write_text(json.dumps(document))
    moved.unlink()
    moved.symlink_to(runs / "nowhere")
    replaced.write_bytes(b"[" * 100_000)
    (runs / "gone").symlink_to(runs / "nowhere")
    return [*(folder.name for folder in folders), "gone"]
