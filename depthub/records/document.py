"""A run as a JSON document: written in one way, and read with every check that its content allows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthub.errors import DepthubError
from depthub.protocol import Count
from depthub.records import schema, scoring
from depthub.records.document_checks import Document, check, class_set_of, content_sha256, counts_of, summary_of
from depthub.records.result import RunResult, Sample, TestedTask, TrainedStage
from depthub.records.run_files import StoredPredictions, content
from depthub.spec import RunSpec
from depthub.types import ClassSet
from depthub.values.text import plain

if TYPE_CHECKING:  # a document alone is read without numpy
    from depthub.records.predictions import Predictions

PREDICTIONS = "predictions.safetensors"
PredictionsOf = Callable[[Document, Mapping[str, Count]], "Mapping[str, Predictions]"]  # from a checked document and its counts


@dataclass(frozen=True)
class StoredRun:
    """A finished run as it is stored.

    Args:
        document: the JSON document, checked.
        result: the same as a result, with the predictions beside it.
    """

    document: Document
    result: RunResult


def read(path: Path, *, recount: bool = True) -> RunResult:
    """A run's result from its document, after every check that its own content allows: counts against sums, scores against counts, digests.

    Args:
        path: the document, or the run's folder.
        recount: count the predictions beside it, too; otherwise they are read when they are first used.

    Raises:
        DepthubError: if the file is missing, damaged or edited, or holds values that cannot be true together.
    """
    return read_stored(path, recount=recount).result


def read_stored(path: Path, *, recount: bool = True) -> StoredRun:
    """The document with its result; arguments and errors as `read`."""
    path = Path(path) / "run.json" if Path(path).is_dir() else Path(path)

    def predictions(document: Document, counts: Mapping[str, Count]) -> Mapping[str, Predictions]:
        file = document.get("files", {}).get(PREDICTIONS)
        classes = {task: len(count.per_class) for task, count in counts.items()}
        return StoredPredictions(path.parent / PREDICTIONS, classes, file["bytes"], file["sha256"]) if file else {}

    with one_line_errors():
        document = schema.parse(content(path, schema.LARGEST), str(path))
        return checked(document, str(path), path.parent, predictions, recount=recount)


def checked(
    document: Document,
    source: str,
    folder: Path | None,
    predictions: PredictionsOf,
    *,
    recount: bool,
    texts: Mapping[int, str] | None = None,
) -> StoredRun:
    """Check a document and make a result of it.

    Args:
        document: a value of JSON.
        source: the file's name, for messages.
        folder: the run's folder, if it has one.
        predictions: of the run by task, from the document and its counts.
        recount: count the predictions, too.
        texts: see `values.canonical.canonical`.

    Raises:
        DepthubError: with the first fault.
    """
    check(document, source, texts or {})
    result = _result(document, folder)
    result = replace(result, predictions=predictions(document, result.counts))
    if recount and result.predictions:
        _recount(result, source)
    return StoredRun(document, result)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Errors of the block in one harmless line each: names in a file of others may hold line breaks."""
    try:
        yield
    except DepthubError as error:
        raise DepthubError(plain(str(error))) from error


def document(result: RunResult, files: Mapping[str, bytes] | None = None) -> dict[str, Any]:
    """A run as plain data fit for JSON; `read` of it gives the result back.

    Args:
        result: of the run.
        files: the run's other files by name.
    """
    sets = list(dict.fromkeys([*(stage.classes for stage in result.stages), *(task.classes for task in result.tasks.values())]))
    fields: dict[str, Any] = {
        **schema.header("run"),
        "run_id": result.spec.run_id,
        "spec": result.spec.without_places().as_dict(),
        "measurements": [_measurement(task, count, result.tasks.get(task), sets) for task, count in result.counts.items()],
        "scores": dict(result.scores),
        "provenance": dict(result.provenance),
        "cost": dict(result.cost),
        "warnings": list(result.warnings),
    }
    if result.samples:
        fields["samples"] = [_sample(sample) for sample in result.samples]
    if result.summary:
        harmonic = {score: list(parts) for score, parts in result.summary.harmonic.items()}
        fields["summary"] = {"headline": result.summary.headline, "harmonic": harmonic}
    if sets:
        fields["class_sets"] = [_class_set(classes) for classes in sets]
        fields["stages"] = [{"task": s.task, "classes": sets.index(s.classes), "tests": list(s.tests)} for s in result.stages]
    if files:
        fields["files"] = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    return fields | {"sha256": content_sha256(fields)}


def dumps(value: Mapping[str, Any]) -> bytes:
    """Indented JSON in the order of the keys, arrays of integers on one line; the same value gives the same bytes."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    # A line break cannot stand inside a JSON string, so that only arrays are matched.
    arrays = r"\[\n *\d+(?:,\n *\d+)*\n *\]"
    return (re.sub(arrays, lambda array: f"[{', '.join(re.findall(r'[0-9]+', array[0]))}]", text) + "\n").encode()


def _result(document: Document, folder: Path | None) -> RunResult:
    """The result of a checked document, without predictions."""
    sets = [class_set_of(entry, "class set") for entry in document.get("class_sets", ())]
    spec = RunSpec.stored(document["spec"], document["run_id"])
    protocol = scoring.protocol_of(spec, document["provenance"])
    return RunResult(
        spec,
        counts_of(document),
        document["scores"],
        document["provenance"],
        document["cost"],
        tuple(document["warnings"]),
        samples=tuple(_sample_of(entry) for entry in document.get("samples", ())),
        summary=summary_of(document) or (protocol.summary(document["scores"]) if protocol else None),
        tasks={measured["task"]: _tested(measured, sets) for measured in document["measurements"] if "classes" in measured},
        stages=tuple(TrainedStage(s["task"], sets[s["classes"]], tuple(s["tests"])) for s in document.get("stages", ())),
        folder=folder,
        notes=() if protocol else (_unchecked(spec),),
        files={name: entry["sha256"] for name, entry in document.get("files", {}).items()},
    )


def _unchecked(spec: RunSpec) -> str:
    return plain(f"protocol {spec.protocol.name} is not installed here: scores were not derived from the counts again")


def _sample_of(entry: Document) -> Sample:
    sample = Sample(entry["task"], entry["data"], tuple(entry["ids"]), tuple(entry["labels"]), tuple(entry.get("remarks", ())))
    vars(sample)["sha256"] = entry["sha256"]  # which was checked
    return sample


def _tested(measured: Document, sets: Sequence[ClassSet]) -> TestedTask:
    sentences = tuple(map(tuple, measured.get("sentences", ())))
    return TestedTask(sets[measured["classes"]], sentences, measured.get("images_sha256", ""), measured.get("epoch"))


def _class_set(classes: ClassSet) -> dict[str, Any]:
    entry = {"space": classes.space, "ids": list(classes.ids), "names": list(classes.names), "template": classes.template}
    return entry | ({"templates": [list(pair) for pair in classes.templates]} if classes.templates else {})


def _measurement(task: str, count: Count, tested: TestedTask | None, sets: Sequence[ClassSet]) -> dict[str, Any]:
    value = count.percent if count.n_total else 0.0  # the schema then refuses the task without images
    entry: dict[str, Any] = {"task": task, "metric": "top1", "n_correct": count.n_correct, "n_total": count.n_total, "value": value}
    if count.per_class:
        entry["per_class"] = [list(row) for row in count.per_class]
    if tested:
        entry |= {"classes": sets.index(tested.classes), "sentences": [list(sentences) for sentences in tested.sentences]}
        entry |= {"images_sha256": tested.images_sha256} if tested.images_sha256 else {}
        entry |= {"epoch": tested.epoch} if tested.epoch is not None else {}
    return entry


def _sample(sample: Sample) -> dict[str, Any]:
    entry = {"task": sample.task, "data": sample.data, "sha256": sample.sha256, "ids": list(sample.ids), "labels": list(sample.labels)}
    return entry | ({"remarks": list(sample.remarks)} if sample.remarks else {})


def _recount(result: RunResult, source: str) -> None:
    for task, count in result.counts.items():
        recounted = result.predictions[task].count()
        if recounted != count:
            raise DepthubError(
                f"{source}: task {task!r} has {count.n_correct} of {count.n_total} correct, but its predictions "
                f"{recounted.n_correct} of {recounted.n_total}, or other classes; the file was edited, delete it and run again"
            )
