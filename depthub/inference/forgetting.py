"""What a training costs: accuracy against the model without it, on the same images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError
from depthub.inference.rescored import Rescored
from depthub.records.document import read
from depthub.records.result import RunResult

Source = RunResult | Rescored | Path | str
Measured = tuple[float, int, str]  # accuracy in percent, number of classes, digest of the images


def forgetting(run: Source, zero_shot: Source) -> dict[str, float]:
    """Change of accuracy against a run without training, by test task, in points: below 0, something was forgotten.

    Both are results, runs' folders, or the results of `depthub rescore` on other data sets (`Rescored`, or the file that `--out` wrote).
    Compared are the tasks that both have.

    Raises:
        DepthubError: if they share no task, or one of the shared has other images or another number of classes.
    """
    tuned, plain = _measured(run), _measured(zero_shot)
    shared = [task for task in tuned if task in plain]
    if not shared:
        raise DepthubError(f"no task is in both: {', '.join(tuned)} in the run, {', '.join(plain)} in the other")
    for task in shared:
        if not tuned[task][2] or tuned[task][1:] != plain[task][1:]:
            raise DepthubError(f"task {task!r} has other images or classes in the two runs; expected the same data, split and label space")
    return {task: tuned[task][0] - plain[task][0] for task in shared}


def _measured(source: Source) -> dict[str, Measured]:
    """Accuracy, classes and images by task."""
    if isinstance(source, Path | str) and Path(source).suffix == ".json" and Path(source).name != "run.json":
        return _of_file(Path(source))
    if isinstance(source, Rescored):
        return _of_document(source.as_dict())
    result = source if isinstance(source, RunResult) else read(Path(source))
    images = {task: tested.images_sha256 for task, tested in result.tasks.items()}
    return {task: (count.percent, len(count.per_class), images.get(task, "")) for task, count in result.counts.items()}


def _of_file(path: Path) -> dict[str, Measured]:
    try:
        return _of_document(json.loads(path.read_bytes()))
    except OSError as error:
        raise DepthubError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise DepthubError(f"{path} is not a file of `depthub rescore --out`") from error


def _of_document(document: Mapping[str, Any]) -> dict[str, Measured]:
    return {
        one["task"]: (100 * one["n_correct"] / one["n_total"], len(one["per_class"]), one["images_sha256"])
        for one in document["measurements"]
    }
