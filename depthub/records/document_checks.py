"""Checks of a run's document: its form by the schema, then sums, scores, digests and references, which a schema cannot check."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from hashlib import sha256
from typing import Any

from depthub.data.fewshot import fingerprint
from depthub.errors import DepthubError
from depthub.protocol import Count, Summary
from depthub.records import schema, scoring
from depthub.records.faults import Fault
from depthub.spec import RunSpec, digest
from depthub.types import ClassSet
from depthub.values import canonical

Document = Mapping[str, Any]
CLOSE = 1e-9  # percent; between a recorded percentage and the one that its counts give


def check(document: Any, source: str, texts: Mapping[int, str] = {}) -> None:
    """Check a run's document.

    Args:
        document: a value of JSON.
        source: the file's name, for the message.
        texts: see `values.canonical.canonical`.

    Raises:
        DepthubError: with the first fault.
    """
    for fault in faults(document, texts):
        raise DepthubError(f"{source}: {fault.reason}")


def faults(document: Any, texts: Mapping[int, str] = {}) -> Iterator[Fault]:
    """Every fault of a run's document; those of its content only if its form is right."""
    of_form = list(schema.faults(document, "run"))
    yield from of_form or _of_content(document, texts)


def _of_content(document: Document, texts: Mapping[int, str]) -> Iterator[Fault]:
    tasks = [measured["task"] for measured in document["measurements"]]
    if len(set(tasks)) < len(tasks):
        yield Fault("measurements", "a task is measured twice")
    try:
        sets = [class_set_of(entry, f"class set {index}") for index, entry in enumerate(document.get("class_sets", ()))]
        spec = RunSpec.of(document["spec"])
    except DepthubError as error:
        yield Fault("class_sets" if str(error).startswith("class set") else "spec", str(error))
        return
    for index, measured in enumerate(document["measurements"]):
        yield from _of(f"measurements[{index}]", f"task {measured['task']!r}", _of_measurement(measured, sets, spec))
    for index, sample in enumerate(document.get("samples", ())):
        yield from _of(f"samples[{index}]", f"sample of task {sample['task']!r}", _of_sample(sample))
    for index, stage in enumerate(document.get("stages", ())):
        if stage["classes"] >= len(sets) or not set(stage["tests"]) <= set(tasks):
            yield Fault(f"stages[{index}]", f"stage {stage['task']!r} names classes or tasks that are not there")
    text_of_spec = canonical.text(document["spec"])  # of which the content's digest is, too
    texts = {**texts, id(document["spec"]): text_of_spec}
    if document["run_id"] != sha256(text_of_spec.encode()).hexdigest() or document["spec"] != spec.without_places().as_dict():
        yield Fault("run_id", "run_id is not the digest of spec; the file was edited, delete it and run again")
    yield from (Fault("scores", reason) for reason in _of_scores(document, spec))
    if document["sha256"] != content_sha256(document, texts):
        yield Fault("sha256", "sha256 is not the digest of the content; the file was edited, delete it and run again")


def _of(field: str, name: str, reasons: Iterable[str]) -> Iterator[Fault]:
    return (Fault(field, f"{name}: {reason}") for reason in reasons)


def content_sha256(document: Document, texts: Mapping[int, str] = {}) -> str:
    """The digest of a document without its own key `sha256` and without `x_` keys."""
    return digest({key: value for key, value in document.items() if key != "sha256" and not key.startswith("x_")}, texts)


def class_set_of(entry: Document, source: str) -> ClassSet:
    """A class set of a document.

    Raises:
        DepthubError: if ids repeat, or there are more or fewer of them than names.
    """
    ids, names = entry["ids"], entry["names"]
    if len(ids) != len(names) or len(set(ids)) < len(ids):
        raise DepthubError(f"{source}: {len(ids)} ids ({len(set(ids))} different) for {len(names)} names")
    templates = tuple((family, template) for family, template in entry.get("templates", ()))
    return ClassSet(entry["space"], tuple(ids), tuple(names), entry["template"], templates)


def summary_of(document: Document) -> Summary | None:
    """The summary in a document; None in one of schema 1.0."""
    entry = document.get("summary")
    return entry and Summary(entry["headline"], {score: (one, other) for score, (one, other) in entry["harmonic"].items()})


def counts_of(document: Document) -> dict[str, Count]:
    """The counts of a document by test task; files of schema 1.0 have none by class."""
    return {
        measured["task"]: Count(measured["n_correct"], measured["n_total"], tuple(map(tuple, measured.get("per_class", ()))))
        for measured in document["measurements"]
    }


def _of_measurement(measured: Document, sets: Sequence[ClassSet], spec: RunSpec) -> Iterator[str]:
    correct, total = measured["n_correct"], measured["n_total"]
    if correct > total:
        yield f"{correct} correct of {total} images"
    if not math.isclose(measured["value"], 100 * correct / total, rel_tol=0, abs_tol=CLOSE):
        yield f"value is {measured['value']}, but {correct} of {total} are {100 * correct / total:.4f} percent"
    rows = measured.get("per_class")
    if rows is not None:
        yield from _of_rows(rows, correct, total)
    # an epoch has at least one step
    epochs = spec.training and (spec.training.steps_per_shot * spec.shots or spec.training.epochs)
    if "epoch" in measured and epochs is not None and measured["epoch"] > epochs:
        yield f"tested after epoch {measured['epoch']} of a training of {epochs}"
    if "classes" not in measured:
        return
    if measured["classes"] >= len(sets):
        yield f"class set {measured['classes']} is not there"
        return
    number = len(sets[measured["classes"]])
    columns = [*measured.get("sentences", ()), *([rows] if rows is not None else ())]
    if any(len(column) != number for column in columns):
        yield f"{number} classes, but another number of sentences or of rows in per_class"


def _of_rows(rows: Sequence[Sequence[int]], correct: int, total: int) -> Iterator[str]:
    if any(right > min(images, predictions) for right, images, predictions in rows):
        yield "per_class has more correct predictions than images or predictions"
    sums = [sum(column) for column in zip(*rows, strict=True)]
    if sums != [correct, total, total]:
        yield (f"per_class sums to {sums[0]} correct, {sums[1]} images and {sums[2]} predictions, the counts are {correct} of {total}")


def _of_sample(sample: Document) -> Iterator[str]:
    ids, labels = sample["ids"], sample["labels"]
    if len(ids) != len(labels):
        yield f"{len(ids)} ids, but {len(labels)} labels"
    elif sample["sha256"] != fingerprint(ids, labels):
        yield "sha256 is not the fingerprint of ids and labels"


def _of_scores(document: Document, spec: RunSpec) -> Iterator[str]:
    """Whether the protocol, where it is installed, derives scores and summary from the counts, and harmonic scores add up."""
    scores, summary = document["scores"], summary_of(document)
    protocol = scoring.protocol_of(spec, document["provenance"])
    try:
        if summary:
            scoring.check_summary(summary, scores, "scores")
            _check_order(summary)
        derived = _tried(lambda: protocol.scores(counts_of(document))) if protocol else {}
    except DepthubError as error:
        yield str(error)
        return
    if protocol is None:
        return
    if list(derived) != list(scores) or not all(
        math.isclose(scores[name], value, rel_tol=0, abs_tol=CLOSE) for name, value in derived.items()
    ):
        yield f"scores are {_listed(scores)}, but {spec.protocol.name} derives {_listed(derived)} from the counts"
    elif summary and summary != protocol.summary(scores):
        yield f"summary is not the one that {spec.protocol.name} declares"


def _check_order(summary: Summary) -> None:
    try:
        TopologicalSorter(summary.harmonic).prepare()
    except CycleError as error:
        raise DepthubError(f"the summary makes a score the harmonic mean of itself: {', '.join(error.args[1])}") from error


def _tried(derive: Callable[[], Mapping[str, float]]) -> Mapping[str, float]:
    try:
        return derive()
    except Exception as error:  # counts of tasks that this protocol never has, for example
        raise DepthubError(f"its protocol cannot derive scores from these tasks ({type(error).__name__}: {error})") from error


def _listed(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
