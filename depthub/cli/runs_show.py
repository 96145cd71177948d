"""A run in full, for `depthub runs show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from depthub.cli.table import shown
from depthub.errors import DepthubError
from depthub.records.result import RunResult
from depthub.values.flat import flat
from depthub.values.text import plain

MEGABYTE = 2**20


def document(result: RunResult) -> dict[str, Any]:
    """Plain data for JSON; scores and accuracies in percent, the worst classes first."""
    tasks = {
        task: {
            "n_correct": count.n_correct,
            "n_total": count.n_total,
            "accuracy": count.percent,
            "classes": _worst_first(result, task),
            "sentences": [list(sentences) for sentences in result.tasks[task].sentences] if task in result.tasks else [],
        }
        for task, count in result.counts.items()
    }
    return {
        "run_id": result.spec.run_id,
        "folder": None if result.folder is None else str(result.folder),
        "spec": result.spec.without_places().as_dict(),
        "headline": result.headline,
        "scores": {name: float(value) for name, value in result.scores.items()},
        "tasks": tasks,
        "cost": dict(result.cost),
        "provenance": dict(result.provenance),
        "warnings": list(result.warnings),
        "notes": list(result.notes),
    }


def show(result: RunResult) -> None:
    """The same as tables, and the calibration where the scores of predictions are at hand, as in packed runs they are not."""
    console = Console(highlight=False, markup=False)
    console.print(f"run {result.spec.run_id}", soft_wrap=True)
    console.print(_pairs("settings", flat(result.spec.without_places().as_dict())))
    console.print(_counts(result))
    if calibrations := {task: values for task in result.counts if (values := _calibration(result, task))}:
        console.print(_calibrations(calibrations))
    for task in result.counts:
        if result.counts[task].per_class:
            console.print(_classes(result, task))
    console.print(_pairs("cost", dict(_cost(result.cost))))
    console.print(_pairs("provenance", dict(_provenance(result.provenance))))
    for line in (*result.warnings, *result.notes):
        console.print(plain(f"note: {line}"), soft_wrap=True)


def _pairs(title: str, values: Mapping[str, Any]) -> Table:
    table = _table(title, "", Column("", overflow="fold"))
    for name, value in values.items():
        table.add_row(shown(name), shown(str(value)))
    return table


def _counts(result: RunResult) -> Table:
    table = _table("scores", "", Column("correct", justify="right"), Column("%", justify="right"))
    for task, count in result.counts.items():
        table.add_row(shown(f"task {task}"), f"{count.n_correct}/{count.n_total}", f"{count.percent:.2f}")
    for name, value in result.scores.items():
        table.add_row(shown(name), "ranks" if name == result.headline else "", f"{value:.2f}")
    return table


def _calibrations(by_task: Mapping[str, Mapping[str, float]]) -> Table:
    names = next(iter(by_task.values()))
    table = _table("calibration", "", *(Column(name, justify="right") for name in names))
    for task, values in by_task.items():
        table.add_row(shown(f"task {task}"), *(f"{value:.4f}" for value in values.values()))
    return table


def _calibration(result: RunResult, task: str) -> dict[str, float] | None:
    try:
        return asdict(result.predictions[task].calibration())
    except (KeyError, DepthubError):
        return None


def _classes(result: RunResult, task: str) -> Table:
    columns = (Column(name, justify="right") for name in ("correct", "images", "predicted", "%"))
    table = _table(f"classes of task {task}, the worst first", Column("", overflow="fold"), *columns)
    for row in _worst_first(result, task):
        numbers = (str(row[name]) for name in ("n_correct", "n_total", "n_predicted"))
        table.add_row(shown(row["class"]), *numbers, "-" if row["accuracy"] is None else f"{row['accuracy']:.2f}")
    return table


def _worst_first(result: RunResult, task: str) -> list[dict[str, Any]]:
    """Rows of `RunResult.per_class`; classes without images come last."""
    return sorted(result.per_class(task), key=lambda row: (row["accuracy"] is None, row["accuracy"] or 0.0))


def _cost(cost: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in cost.items():
        if name.endswith("_bytes") and value is not None:
            yield name.removesuffix("_bytes"), f"{value / MEGABYTE:,.0f} MiB"
        elif name.endswith("_s"):
            yield name.removesuffix("_s"), f"{value:.1f} s"
        elif value is not None:
            yield name, f"{value:,}" if isinstance(value, int) else str(value)


def _provenance(provenance: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Versions, plugins and machine; digests are in the JSON only."""
    core = provenance.get("depthub", {})
    version = (core.get("version"), (core.get("commit") or "")[:12], "with changes" if core.get("dirty") else "")
    yield "depthub", " ".join(filter(None, version))
    for plugin in provenance.get("plugins", ()):
        yield f"{plugin['kind'].removesuffix('s')} {plugin['name']}", f"{plugin['distribution']} {plugin['version']}"
    yield from ((name, provenance[name]) for name in ("python", "platform") if name in provenance)
    yield "packages", ", ".join(f"{name} {version}" for name, version in provenance.get("packages", {}).items())
    yield from _cost(provenance.get("hardware", {}))
    yield from flat(provenance.get("execution", {})).items()
    yield "presets", ", ".join(provenance.get("presets", ())) or "none"


def _table(title: str, *columns: Column | str) -> Table:
    return Table(*columns, title=Text(plain(title)), title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 2))
