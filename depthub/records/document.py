"""A run as a JSON document: written in one way, and read with every check that its content allows."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from depthub.data.fewshot import fingerprint
from depthub.errors import DepthubError
from depthub.protocol import Count, Summary
from depthub.records import schema, scoring
from depthub.records.result import RunResult, Sample, TestedTask, TrainedStage
from depthub.records.run_files import StoredPredictions, content
from depthub.spec import RunSpec, digest
from depthub.types import ClassSet
from depthub.values.text import plain

PREDICTIONS = "predictions.safetensors"
CLOSE = 1e-9  # percent; between a recorded percentage and the one that its counts give


def read(path: Path, *, recount: bool = True) -> RunResult:
    """A run's document, with every check that its own content allows: counts against sums, scores against counts, digests.

    Args:
        path: the document, or the run's folder.
        recount: count the predictions beside it, too; without, they are read when they are asked for.

    Raises:
        DepthubError: if the file is missing, damaged or was edited, or says what cannot be.
    """
    path = Path(path) / "run.json" if Path(path).is_dir() else Path(path)
    try:
        made = schema.parse(content(path, schema.LARGEST), str(path))
        check(made, str(path))
        result = _result(made, path)
        if recount and result.predictions:
            _recount(result, str(path))
    except DepthubError as error:
        raise DepthubError(plain(str(error))) from error  # names in the file may hold line breaks
    return result


def document(result: RunResult, files: Mapping[str, bytes] | None = None) -> dict[str, Any]:
    """A run as plain data fit for JSON; `read` of it gives the result back.

    Args:
        result: of the run.
        files: the run's other files by name.
    """
    sets = list(dict.fromkeys([*(stage.classes for stage in result.stages), *(task.classes for task in result.tasks.values())]))
    made: dict[str, Any] = {
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
        made["samples"] = [_sample(sample) for sample in result.samples]
    if result.summary:
        harmonic = {score: list(parts) for score, parts in result.summary.harmonic.items()}
        made["summary"] = {"headline": result.summary.headline, "harmonic": harmonic}
    if sets:
        made["class_sets"] = [_class_set(classes) for classes in sets]
        made["stages"] = [{"task": s.task, "classes": sets.index(s.classes), "tests": list(s.tests)} for s in result.stages]
    if files:
        made["files"] = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    return made | {"sha256": _content_sha256(made)}


def dumps(value: Mapping[str, Any]) -> bytes:
    """Indented JSON in the order of the keys, arrays of integers on one line; the same value gives the same bytes."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    # A line break cannot stand inside a JSON string, so that only arrays are matched.
    arrays = r"\[\n *\d+(?:,\n *\d+)*\n *\]"
    return (re.sub(arrays, lambda found: f"[{', '.join(re.findall(r'[0-9]+', found[0]))}]", text) + "\n").encode()


def check(made: Any, source: str) -> None:
    """Check a run's document: its form by the schema, then what a schema cannot say.

    Args:
        made: what JSON gave.
        source: the file's name, for the message.

    Raises:
        DepthubError: with the first fault.
    """
    schema.validate(made, "run", source)
    tasks = [m["task"] for m in made["measurements"]]
    if len(set(tasks)) < len(tasks):
        raise DepthubError(f"{source}: a task is measured twice")
    sets = [_classes(entry, f"{source}: class set {index}") for index, entry in enumerate(made.get("class_sets", ()))]
    for measured in made["measurements"]:
        _check_measurement(measured, sets, f"{source}: task {measured['task']!r}")
    for sample in made.get("samples", ()):
        _check_sample(sample, f"{source}: sample of task {sample['task']!r}")
    for stage in made.get("stages", ()):
        if stage["classes"] >= len(sets) or not set(stage["tests"]) <= set(tasks):
            raise DepthubError(f"{source}: stage {stage['task']!r} names classes or tasks that are not there")
    spec = _spec(made["spec"], source)
    if made["run_id"] != digest(made["spec"]) or made["run_id"] != spec.run_id:
        raise DepthubError(f"{source}: run_id is not the digest of spec; the file was edited, delete it and run again")
    _check_scores(made, spec, source)
    if made["sha256"] != _content_sha256(made):
        raise DepthubError(f"{source}: sha256 is not the digest of the content; the file was edited, delete it and run again")


def _result(made: Mapping[str, Any], path: Path) -> RunResult:
    counts = {
        m["task"]: Count(m["n_correct"], m["n_total"], tuple((c, n, g) for c, n, g in m.get("per_class", ()))) for m in made["measurements"]
    }
    sets = [_classes(entry, str(path)) for entry in made.get("class_sets", ())]
    file = made.get("files", {}).get(PREDICTIONS)
    spec = RunSpec.of(made["spec"])
    summary = _summary(made)
    protocol = scoring.protocol_of(spec, made["provenance"])
    return RunResult(
        spec,
        counts,
        made["scores"],
        made["provenance"],
        made["cost"],
        tuple(made["warnings"]),
        tuple(_sample_of(entry) for entry in made.get("samples", ())),
        summary or (protocol.summary(made["scores"]) if protocol else None),
        {m["task"]: _tested(m, sets) for m in made["measurements"] if "classes" in m},
        tuple(TrainedStage(s["task"], sets[s["classes"]], tuple(s["tests"])) for s in made.get("stages", ())),
        StoredPredictions(path.parent / PREDICTIONS, {task: len(c.per_class) for task, c in counts.items()}, file["bytes"], file["sha256"])
        if file
        else {},
        path.parent,
        () if protocol else (plain(f"protocol {spec.protocol.name} is not installed here: scores were not derived from the counts again"),),
        {name: entry["sha256"] for name, entry in made.get("files", {}).items()},
    )


def _sample_of(entry: Mapping[str, Any]) -> Sample:
    return Sample(entry["task"], entry["data"], tuple(entry["ids"]), tuple(entry["labels"]), tuple(entry.get("remarks", ())))


def _tested(measured: Mapping[str, Any], sets: Sequence[ClassSet]) -> TestedTask:
    return TestedTask(sets[measured["classes"]], tuple(map(tuple, measured.get("sentences", ()))), measured.get("images_sha256", ""))


def _summary(made: Mapping[str, Any]) -> Summary | None:
    entry = made.get("summary")
    return entry and Summary(entry["headline"], {score: (one, other) for score, (one, other) in entry["harmonic"].items()})


def _spec(entry: Mapping[str, Any], source: str) -> RunSpec:
    try:
        return RunSpec.of(entry)
    except DepthubError as error:
        raise DepthubError(f"{source}: {error}") from error


def _classes(entry: Mapping[str, Any], source: str) -> ClassSet:
    ids, names = entry["ids"], entry["names"]
    if len(ids) != len(names) or len(set(ids)) < len(ids):
        raise DepthubError(f"{source}: {len(ids)} ids ({len(set(ids))} different) for {len(names)} names")
    templates = tuple((family, template) for family, template in entry.get("templates", ()))
    return ClassSet(entry["space"], tuple(ids), tuple(names), entry["template"], templates)


def _class_set(classes: ClassSet) -> dict[str, Any]:
    made = {"space": classes.space, "ids": list(classes.ids), "names": list(classes.names), "template": classes.template}
    return made | ({"templates": [list(pair) for pair in classes.templates]} if classes.templates else {})


def _measurement(task: str, count: Count, tested: TestedTask | None, sets: Sequence[ClassSet]) -> dict[str, Any]:
    value = count.percent if count.n_total else 0.0  # the schema then refuses the task without images
    made: dict[str, Any] = {"task": task, "metric": "top1", "n_correct": count.n_correct, "n_total": count.n_total, "value": value}
    if count.per_class:
        made["per_class"] = [list(row) for row in count.per_class]
    if tested:
        made |= {"classes": sets.index(tested.classes), "sentences": [list(said) for said in tested.sentences]}
        made |= {"images_sha256": tested.images_sha256} if tested.images_sha256 else {}
    return made


def _sample(sample: Sample) -> dict[str, Any]:
    made = {"task": sample.task, "data": sample.data, "sha256": sample.sha256, "ids": list(sample.ids), "labels": list(sample.labels)}
    return made | ({"remarks": list(sample.remarks)} if sample.remarks else {})


def _content_sha256(made: Mapping[str, Any]) -> str:
    return digest({k: v for k, v in made.items() if k != "sha256" and not k.startswith("x_")})


def _check_measurement(measured: Mapping[str, Any], sets: Sequence[ClassSet], source: str) -> None:
    correct, total = measured["n_correct"], measured["n_total"]
    if correct > total:
        raise DepthubError(f"{source}: {correct} correct of {total} images")
    if not math.isclose(measured["value"], 100 * correct / total, rel_tol=0, abs_tol=CLOSE):
        raise DepthubError(f"{source}: value is {measured['value']}, but {correct} of {total} are {100 * correct / total:.4f} percent")
    rows = measured.get("per_class")
    if rows is not None:
        _check_rows(rows, correct, total, source)
    if "classes" not in measured:
        return
    if measured["classes"] >= len(sets):
        raise DepthubError(f"{source}: class set {measured['classes']} is not there")
    number = len(sets[measured["classes"]])
    if any(len(said) != number for said in [*measured.get("sentences", ()), *([rows] if rows is not None else ())]):
        raise DepthubError(f"{source}: {number} classes, but another number of sentences or of rows in per_class")


def _check_rows(rows: Sequence[Sequence[int]], correct: int, total: int, source: str) -> None:
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


def _check_scores(made: Mapping[str, Any], spec: RunSpec, source: str) -> None:
    """Scores and summary are those that the protocol derives from the counts, where it is installed; harmonic ones always add up."""
    scores, summary = made["scores"], _summary(made)
    counts = {m["task"]: Count(m["n_correct"], m["n_total"], tuple(map(tuple, m.get("per_class", ())))) for m in made["measurements"]}
    if summary:
        scoring.check_summary(summary, scores, source)
        _check_order(summary, source)
    protocol = scoring.protocol_of(spec, made["provenance"])
    if protocol is None:
        return
    derived = _tried(lambda: protocol.scores(counts), source)
    if list(derived) != list(scores) or not all(math.isclose(scores[k], v, rel_tol=0, abs_tol=CLOSE) for k, v in derived.items()):
        raise DepthubError(f"{source}: scores are {_listed(scores)}, but {spec.protocol.name} derives {_listed(derived)} from the counts")
    if summary and summary != protocol.summary(scores):
        raise DepthubError(f"{source}: summary is not the one that {spec.protocol.name} declares")


def _check_order(summary: Summary, source: str) -> None:
    try:
        TopologicalSorter(summary.harmonic).prepare()
    except CycleError as error:
        raise DepthubError(f"{source}: the summary makes a score the harmonic mean of itself: {', '.join(error.args[1])}") from error


def _tried(derive: Callable[[], Mapping[str, float]], source: str) -> Mapping[str, float]:
    try:
        return derive()
    except Exception as error:  # counts of tasks that this protocol never made, for example
        raise DepthubError(f"{source}: its protocol cannot derive scores from these tasks ({type(error).__name__}: {error})") from error


def _listed(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in scores.items())


def _recount(result: RunResult, source: str) -> None:
    for task, count in result.counts.items():
        recounted = result.predictions[task].count()
        if recounted != count:
            raise DepthubError(
                f"{source}: task {task!r} has {count.n_correct} of {count.n_total} correct, but its predictions "
                f"{recounted.n_correct} of {recounted.n_total}, or other classes; the file was edited, delete it and run again"
            )
