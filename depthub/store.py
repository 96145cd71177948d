"""Results of runs, and runs on disk: one folder a run, one JSON document in it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from depthub import schema
from depthub.data.fewshot import fingerprint
from depthub.errors import DepthubError
from depthub.files import atomic_write
from depthub.protocol import Count
from depthub.spec import RunSpec, digest

FILE = "run.json"


@dataclass(frozen=True)
class Sample:
    """The training images of a stage as they were drawn: over all classes, before any division into base and new.

    Args:
        task: name of the training task.
        data: name of the data set.
        ids: of the images, in the order drawn.
        labels: of the images; they index the data set's classes.
        remarks: what the data set says of itself, for example that the order of its list is not the published one.
    """

    task: str
    data: str
    ids: tuple[str, ...]
    labels: tuple[int, ...]
    remarks: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """What samples are compared by, also with published ones."""
        return fingerprint(self.ids, self.labels)


@dataclass(frozen=True)
class RunResult:
    """What a run gave.

    Args:
        spec: what was run.
        counts: by test task.
        scores: in percent, derived from `counts` by the protocol.
        provenance: versions, plugins, hardware: where the numbers come from.
        cost: seconds and bytes.
        warnings: what the user was told.
        samples: what was trained on, one a stage; empty in files from before they were recorded.
    """

    spec: RunSpec
    counts: Mapping[str, Count]
    scores: Mapping[str, float]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()


class Store:
    """Runs under a folder, each in a folder named by its run id.

    Args:
        root: the folder; made when the first run is saved.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def path(self, spec: RunSpec) -> Path:
        """The run's folder, whether or not it exists."""
        return self.root / spec.run_id

    def load(self, spec: RunSpec) -> RunResult | None:
        """The finished run with this spec, or None.

        Raises:
            DepthubError: if its file is damaged.
        """
        path = self.path(spec) / FILE
        return _read_in_place(path) if path.exists() else None

    def save(self, result: RunResult) -> Path:
        """Write a run's document, whole or not at all.

        Returns:
            The file.

        Raises:
            DepthubError: if the result does not fit the schema, or cannot be written.
        """
        made = document(result)
        _check(made, f"run {made['run_id'][:12]}")
        return atomic_write(self.path(result.spec) / FILE, dumps(made))

    def results(self) -> Iterator[RunResult]:
        """All finished runs, by run id.

        Raises:
            DepthubError: if a file is damaged.
        """
        for path in sorted(self.root.glob(f"*/{FILE}")):
            yield _read_in_place(path)


def read(path: Path) -> RunResult:
    """A run's document, with every check that its own content allows.

    Raises:
        DepthubError: if the file is missing, damaged or was edited.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DepthubError(f"cannot read {path}: {error.strerror or error}") from error
    found = schema.parse(content, str(path))
    _check(found, str(path))
    counts = {
        m["task"]: Count(m["n_correct"], m["n_total"], tuple((c, n, g) for c, n, g in m.get("per_class", ())))
        for m in found["measurements"]
    }
    return RunResult(
        RunSpec.of(found["spec"]),
        counts,
        found["scores"],
        found["provenance"],
        found["cost"],
        tuple(found["warnings"]),
        tuple(
            Sample(s["task"], s["data"], tuple(s["ids"]), tuple(s["labels"]), tuple(s.get("remarks", ()))) for s in found.get("samples", ())
        ),
    )


def document(result: RunResult) -> dict[str, Any]:
    """A run as plain data fit for JSON; `read` of it gives the result back."""
    made: dict[str, Any] = {
        **schema.header("run"),
        "run_id": result.spec.run_id,
        "spec": result.spec.without_places().as_dict(),
        "measurements": [_measurement(task, count) for task, count in result.counts.items()],
        "scores": dict(result.scores),
        "provenance": dict(result.provenance),
        "cost": dict(result.cost),
        "warnings": list(result.warnings),
    }
    if result.samples:
        made["samples"] = [_sample(sample) for sample in result.samples]
    return made | {"sha256": _content_sha256(made)}


def dumps(value: Mapping[str, Any]) -> bytes:
    """Indented JSON in the order of the keys, arrays of integers on one line; the same value gives the same bytes."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    # A line break cannot stand inside a JSON string, so that only arrays are matched.
    arrays = r"\[\n *\d+(?:,\n *\d+)*\n *\]"
    return (re.sub(arrays, lambda found: f"[{', '.join(re.findall(r'[0-9]+', found[0]))}]", text) + "\n").encode()


def _read_in_place(path: Path) -> RunResult:
    result = read(path)
    if path.parent.name != result.spec.run_id:
        raise DepthubError(f"{path}: the folder is named for another run than the {result.spec.run_id[:12]}... in it; remove the copy")
    return result


def _measurement(task: str, count: Count) -> dict[str, Any]:
    value = count.percent if count.n_total else 0.0  # the schema then refuses the task without images
    made: dict[str, Any] = {"task": task, "metric": "top1", "n_correct": count.n_correct, "n_total": count.n_total, "value": value}
    return made | ({"per_class": [list(row) for row in count.per_class]} if count.per_class else {})


def _sample(sample: Sample) -> dict[str, Any]:
    made = {"task": sample.task, "data": sample.data, "sha256": sample.sha256, "ids": list(sample.ids), "labels": list(sample.labels)}
    return made | ({"remarks": list(sample.remarks)} if sample.remarks else {})


def _content_sha256(made: Mapping[str, Any]) -> str:
    try:
        return digest({k: v for k, v in made.items() if k != "sha256" and not k.startswith("x_")})
    except ValueError as error:  # rfc8785's errors: NaN, an integer beyond 2**53, an object that JSON does not have
        raise DepthubError(f"a run's document holds what JSON cannot: {error}") from error


def _check(made: Any, source: str) -> None:
    """Form by the schema, then what a schema cannot say."""
    schema.validate(made, "run", source)
    tasks = [m["task"] for m in made["measurements"]]
    if len(set(tasks)) < len(tasks):
        raise DepthubError(f"{source}: a task is measured twice")
    for measured in made["measurements"]:
        _check_measurement(measured, f"{source}: task {measured['task']!r}")
    for sample in made.get("samples", ()):
        _check_sample(sample, f"{source}: sample of task {sample['task']!r}")
    if made["run_id"] != digest(made["spec"]) or made["run_id"] != RunSpec.of(made["spec"]).run_id:
        raise DepthubError(f"{source}: run_id is not the digest of spec; the file was edited, delete it and run again")
    if made["sha256"] != _content_sha256(made):
        raise DepthubError(f"{source}: sha256 is not the digest of the content; the file was edited, delete it and run again")


def _check_measurement(measured: Mapping[str, Any], source: str) -> None:
    correct, total = measured["n_correct"], measured["n_total"]
    if correct > total:
        raise DepthubError(f"{source}: {correct} correct of {total} images")
    if not math.isclose(measured["value"], 100 * correct / total, rel_tol=0, abs_tol=1e-9):
        raise DepthubError(f"{source}: value is {measured['value']}, but {correct} of {total} are {100 * correct / total:.4f} percent")
    rows = measured.get("per_class")
    if rows is None:
        return
    if any(c > min(n, g) for c, n, g in rows):
        raise DepthubError(f"{source}: per_class has more correct predictions than images or predictions")
    sums = [sum(column) for column in zip(*rows, strict=True)]
    if sums != [correct, total, total]:
        raise DepthubError(
            f"{source}: per_class sums to {sums[0]} correct, {sums[1]} images and {sums[2]} predictions, "
            f"the counts are {correct} of {total}"
        )


def _check_sample(sample: Mapping[str, Any], source: str) -> None:
    ids, labels = sample["ids"], sample["labels"]
    if len(ids) != len(labels):
        raise DepthubError(f"{source}: {len(ids)} ids, but {len(labels)} labels")
    if sample["sha256"] != fingerprint(ids, labels):
        raise DepthubError(f"{source}: sha256 is not the fingerprint of ids and labels")
