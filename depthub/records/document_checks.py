"""Checks of a run's document: its form by the schema, then sums, scores, digests and references, which a schema cannot check."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from depthub.data.fewshot import fingerprint
from depthub.errors import DepthubError
from depthub.protocol import Count, Summary
from depthub.records import schema, scoring
from depthub.spec import RunSpec, digest
from depthub.types import ClassSet

Document = Mapping[str, Any]
CLOSE = 1e-9  # percent; between a recorded percentage and the one that its counts give


def check(document: Any, source: str) -> None:
    """Check a run's document.

    Args:
        document: a value of JSON.
        source: the file's name, for the message.

    Raises:
        DepthubError: with the first fault.
    """
    schema.validate(document, "run", source)
    tasks = [measured["task"] for measured in document["measurements"]]
    if len(set(tasks)) < len(tasks):
        raise DepthubError(f"{source}: a task is measured twice")
    sets = [class_set_of(entry, f"{source}: class set {index}") for index, entry in enumerate(document.get("class_sets", ()))]
    for measured in document["measurements"]:
        _check_measurement(measured, sets, f"{source}: task {measured['task']!r}")
    for sample in document.get("samples", ()):
        _check_sample(sample, f"{source}: sample of task {sample['task']!r}")
    for stage in document.get("stages", ()):
        if stage["classes"] >= len(sets) or not set(stage["tests"]) <= set(tasks):
            raise DepthubError(f"{source}: stage {stage['task']!r} names classes or tasks that are not there")
    spec = _spec(document["spec"], source)
    if document["run_id"] != digest(document["spec"]) or document["run_id"] != spec.run_id:
        raise DepthubError(f"{source}: run_id is not the digest of spec; the file was edited, delete it and run again")
    _check_scores(document, spec, source)
    if document["sha256"] != content_sha256(document):
        raise DepthubError(f"{source}: sha256 is not the digest of the content; the file was edited, delete it and run again")


def content_sha256(document: Document) -> str:
    """The digest of a document without its own key `sha256` and without `x_` keys."""
    return digest({key: value for key, value in document.items() if key != "sha256" and not key.startswith("x_")})


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


def _spec(entry: Document, source: str) -> RunSpec:
    try:
        return RunSpec.of(entry)
    except DepthubError as error:
        raise DepthubError(f"{source}: {error}") from error


def _check_measurement(measured: Document, sets: Sequence[ClassSet], source: str) -> None:
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
    columns = [*measured.get("sentences", ()), *([rows] if rows is not None else ())]
    if any(len(column) != number for column in columns):
        raise DepthubError(f"{source}: {number} classes, but another number of sentences or of rows in per_class")


def _check_rows(rows: Sequence[Sequence[int]], correct: int, total: int, source: str) -> None:
    if any(right > min(images, predictions) for right, images, predictions in rows):
        raise DepthubError(f"{source}: per_class has more correct predictions than images or predictions")
    sums = [sum(column) for column in zip(*rows, strict=True)]
    if sums != [correct, total, total]:
        raise DepthubError(
            f"{source}: per_class sums to {sums[0]} correct, {sums[1]} images and {sums[2]} predictions, "
            f"the counts are {correct} of {total}"
        )


def _check_sample(sample: Document, source: str) -> None:
    ids, labels = sample["ids"], sample["labels"]
    if len(ids) != len(labels):
        raise DepthubError(f"{source}: {len(ids)} ids, but {len(labels)} labels")
    if sample["sha256"] != fingerprint(ids, labels):
        raise DepthubError(f"{source}: sha256 is not the fingerprint of ids and labels")


def _check_scores(document: Document, spec: RunSpec, source: str) -> None:
    """Check that the protocol, where it is installed, derives scores and summary from the counts, and that harmonic scores add up."""
    scores, summary = document["scores"], summary_of(document)
    if summary:
        scoring.check_summary(summary, scores, source)
        _check_order(summary, source)
    protocol = scoring.protocol_of(spec, document["provenance"])
    if protocol is None:
        return
    derived = _tried(lambda: protocol.scores(counts_of(document)), source)
    if list(derived) != list(scores) or not all(
        math.isclose(scores[name], value, rel_tol=0, abs_tol=CLOSE) for name, value in derived.items()
    ):
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
    except Exception as error:  # counts of tasks that this protocol never has, for example
        raise DepthubError(f"{source}: its protocol cannot derive scores from these tasks ({type(error).__name__}: {error})") from error


def _listed(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
