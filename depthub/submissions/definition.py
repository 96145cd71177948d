"""What every submission to a board must have: its data sets, seeds, few-shot samples and test images, derived from finished runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError
from depthub.records import schema
from depthub.records.faults import Fault
from depthub.records.result import RunResult
from depthub.records.run_files import content
from depthub.spec import digest
from depthub.types import ClassSet

FILE = "definition.json"
SHARED = ("protocol", "backbone", "shots")  # of a run's spec: the same in every run of a board
Cell = tuple[str, int]  # data set and seed


@dataclass(frozen=True)
class Definition:
    """A board's definition.

    Args:
        document: of kind `definition`, checked.
    """

    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        """That submissions name."""
        return str(self.document["name"])

    @cached_property
    def cells(self) -> Mapping[Cell, Mapping[str, Any]]:
        """The tests and samples of each data set and seed."""
        return {(cell["data"], cell["seed"]): cell for cell in self.document["cells"]}

    def cell_of(self, run: RunResult) -> Cell | None:
        """The cell that a run belongs to; None if its data set or seed is not the board's."""
        spec = run.spec.without_places()
        cell = (spec.data.name, spec.seed)
        return cell if cell in self.cells and spec.data.as_dict() == self.document["data"][spec.data.name] else None

    def faults(self, run: RunResult) -> Iterator[Fault]:
        """Every difference between a run and what the board asks for."""
        spec = run.spec.without_places().as_dict()
        for key in SHARED:
            if spec[key] != self.document[key]:
                yield Fault(f"spec.{key}", f"spec.{key} is {_short(spec[key])}, the board's is {_short(self.document[key])}")
        cell = self.cell_of(run)
        if cell is None:
            yield Fault("spec.data", f"{spec['data']['name']} with seed {spec['seed']} is not a cell of the board")
            return
        expected = self.cells[cell]
        yield from _differences("measurements", _tests(run), expected["tests"])
        samples = _samples(run)
        if samples or run.cost.get("params_trainable") != 0:
            yield from _differences("samples", samples, expected["samples"])


def define(runs: Iterable[RunResult], name: str, title: str) -> Definition:
    """The definition of a board on which finished runs stand.

    Args:
        runs: of one or more methods, every data set with every seed; one method at least trains on the few-shot samples.
        name: of the board; lower-case letters, digits and hyphens.
        title: one line.

    Raises:
        DepthubError: if the runs have other protocols, backbones, shots, samples or test images, or lack a cell.
    """
    runs = list(runs)
    if not runs:
        raise DepthubError("no finished runs to define a board by; give the folder of the runs of a method that trains")
    spec = runs[0].spec.without_places().as_dict()
    cells: dict[Cell, dict[str, Any]] = {}
    data = {}
    for run in runs:
        other = run.spec.without_places().as_dict()
        if any(other[key] != spec[key] for key in SHARED):
            raise DepthubError(f"run {run.spec.run_id[:12]} has another protocol, backbone or number of shots than the first run")
        data[other["data"]["name"]] = other["data"]
        cell = cells.setdefault((other["data"]["name"], other["seed"]), {"tests": _tests(run), "samples": {}})
        cell["samples"] = cell["samples"] or _samples(run)
        if cell["tests"] != _tests(run) or (_samples(run) and cell["samples"] != _samples(run)):
            raise DepthubError(f"run {run.spec.run_id[:12]} has other test images, classes or few-shot samples than other runs of its cell")
    seeds = sorted({seed for _, seed in cells})
    for place in ((of, seed) for of in data for seed in seeds):
        if place not in cells or not cells[place]["samples"]:
            raise DepthubError(f"no run of a method that trains on {place[0]} with seed {place[1]}; give every data set with every seed")
    document = {
        **schema.header("definition"),
        **{"name": name, "title": title, **{key: spec[key] for key in SHARED}, "seeds": seeds, "data": dict(sorted(data.items()))},
        "cells": [{"data": of, "seed": seed, **cell} for (of, seed), cell in sorted(cells.items())],
    }
    schema.validate(document, "definition", "definition")
    return Definition(document)


def read(folder: Path) -> Definition:
    """The definition in a board's folder.

    Raises:
        DepthubError: if there is none, or it is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise DepthubError(f"{folder} has no {FILE}; `depthub leaderboard define RUNS --out {folder}` derives it from finished runs")
    document = schema.parse(content(path, schema.LARGEST), str(path))
    schema.validate(document, "definition", str(path))
    cells = [(cell["data"], cell["seed"]) for cell in document["cells"]]
    if sorted(cells) != [(data, seed) for data in sorted(document["data"]) for seed in sorted(document["seeds"])]:
        raise DepthubError(f"{path}: cells are not every data set with every seed; define the board again")
    return Definition(document)


def _tests(run: RunResult) -> dict[str, Any]:
    """What identifies the test images, labels and classes of each task; a run without predictions has an empty text for its labels."""
    tests = {}
    for task, count in run.counts.items():
        tested = run.tasks.get(task)
        classes = _classes_sha256(tested.classes) if tested else ""
        labels = _labels_sha256(run.predictions[task].labels.tobytes()) if task in run.predictions else ""
        images = tested.images_sha256 if tested else ""
        tests[task] = {"n_total": count.n_total, "images_sha256": images, "labels_sha256": labels, "classes_sha256": classes}
    return tests


@lru_cache(maxsize=256)  # the same few test sets come again and again
def _classes_sha256(classes: ClassSet) -> str:
    return digest([classes.space, list(classes.ids), list(classes.names)])


@lru_cache(maxsize=256)
def _labels_sha256(labels: bytes) -> str:
    """Of the labels' list; `labels` are 32-bit integers."""
    import numpy as np

    return digest(np.frombuffer(labels, np.int32).tolist())


def _samples(run: RunResult) -> dict[str, str]:
    return {sample.task: sample.sha256 for sample in run.samples}


WORDS = {"n_total": "number of test images", "images_sha256": "test images", "labels_sha256": "labels", "classes_sha256": "classes"}


def _differences(field: str, present: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[Fault]:
    for task in dict.fromkeys([*expected, *present]):
        if task not in present:
            yield Fault(field, f"task {task!r} is missing")
        elif task not in expected:
            yield Fault(field, f"task {task!r} is not one of the board")
        elif isinstance(present[task], str):
            if present[task] != expected[task]:
                yield Fault(field, f"task {task!r}: the few-shot sample is not the board's")
        else:
            for key, words in WORDS.items():
                if present[task][key] != expected[task][key]:
                    yield Fault(
                        field, f"task {task!r}: {words} {'not recorded' if present[task][key] == '' else 'other than the board has'}"
                    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
