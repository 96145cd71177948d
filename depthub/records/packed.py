"""Finished runs in one file: a line per run with its document and the best class of each test image, after a line of what they share.

    {"$schema": "urn:depthub:schema:packed:1", "kind": "packed", "schema_version": "1.1.0", "shared": "QlpoOTFBWSZTWb..."}
    {"kind": "run", ..., "samples": 1, ..., "sha256": "...", "top1": {"predicted": {"base": "gQA="}, "labels": {"base": 2}, ...}}

A line gives the run's `run.json` back to the byte. Its predictions suffice for counts, accuracies by class and confusions; classes after
the best one, and scores, are in the run's own folder only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError
from depthub.protocol import Count
from depthub.records import schema
from depthub.records.document import StoredRun, checked, one_line_errors
from depthub.records.document_checks import faults as document_faults
from depthub.records.faults import Fault
from depthub.records.packed_predictions import PackedPredictions, top1_sha256
from depthub.records.run_files import content
from depthub.records.shared_values import MOST, SharedValues, StoredValues, compact
from depthub.values.text import plain

SUFFIX = ".jsonl"
_RUN_ID = re.compile(rb'"run_id": ?"([0-9a-f]{64})"')
TOP1 = "top1"  # key of a line for the predictions


@dataclass(frozen=True)
class PackedRun:
    """A line of a packed file, unchecked.

    Args:
        run_id: as the line states it; empty if it states none.
        source: the file and the line, for messages.
        line: its bytes.
        shared: values that it refers to.
    """

    run_id: str
    source: str
    line: bytes
    shared: StoredValues

    def read(self, *, recount: bool = True) -> StoredRun:
        """The run, checked as `read` checks a run's folder.

        Raises:
            DepthubError: if the line is damaged or edited.
        """
        with one_line_errors():
            document, top1 = self._restored()
            return checked(
                document, self.source, None, lambda _, counts: self._predictions(top1, counts), recount=recount, texts=self.shared.texts
            )

    def faults(self) -> list[Fault]:
        """Everything that is wrong with the line; empty for a line that `read` reads."""
        try:
            with one_line_errors():
                document, _ = self._restored()
                faults = [Fault(plain(fault.field), plain(fault.reason)) for fault in document_faults(document)]
            if not faults:
                self.read()
        except DepthubError as error:
            return [Fault("", str(error).removeprefix(f"{plain(self.source)}: "))]
        return faults

    def _restored(self) -> tuple[dict[str, Any], Any]:
        """The run's document, and its predictions as the line has them."""
        fields = _object(schema.parse(self.line, self.source), self.source)
        if fields.get("run_id") != self.run_id and self.run_id:
            raise DepthubError(f"{self.source}: states the run id {self.run_id[:12]} elsewhere than at its place; the file is damaged")
        top1 = fields.pop(TOP1, None)
        return self.shared.restore(fields, self.source), top1

    def _predictions(self, top1: Any, counts: Mapping[str, Count]) -> Mapping[str, Any]:
        if top1 is None:
            return {}
        schema.validate(top1, "top1", self.source)
        labels = {task: self.shared.at(place, self.source) for task, place in top1["labels"].items()}
        return PackedPredictions(top1["predicted"], labels, counts, top1["sha256"], self.source, self.shared.texts)


def packed_runs(path: Path) -> list[PackedRun]:
    """The lines of a packed file.

    Raises:
        DepthubError: if the file cannot be read, or its first line is not that of a packed file.
    """
    with one_line_errors():
        header, *lines = content(path, MOST).removesuffix(b"\n").split(b"\n")
        source = f"{path}, line 1"
        fields = schema.parse(header, source)
        schema.validate(fields, "packed", source)
        shared = StoredValues(fields["shared"], source)
    return [PackedRun(_run_id(line), f"{path}, line {number}", line, shared) for number, line in enumerate(lines, 2)]


def pack(runs: Iterable[StoredRun]) -> bytes:
    """The content of a packed file; the same runs, in any order, give the same bytes.

    Raises:
        DepthubError: if a run's predictions cannot be read.
    """
    shared = SharedValues()
    lines = [_line(run, shared) for run in sorted(runs, key=lambda run: str(run.document["run_id"]))]
    header = compact({**schema.header("packed"), "shared": shared.dumps()})
    return "".join(f"{line}\n" for line in (header, *lines)).encode()


def _line(run: StoredRun, shared: SharedValues) -> str:
    fields = shared.extract(run.document)
    if run.result.predictions:
        fields[TOP1] = _top1(run, shared)
    return compact(fields)


def _top1(run: StoredRun, shared: SharedValues) -> dict[str, Any]:
    from depthub.records import class_indices

    by_task = run.result.predictions
    predicted = {task: class_indices.pack(of_task.predicted, of_task.n_classes) for task, of_task in by_task.items()}
    labels = {task: of_task.labels.tolist() for task, of_task in by_task.items()}
    places = {task: shared.place(of_images) for task, of_images in labels.items()}
    return {"kind": TOP1, "predicted": predicted, "labels": places, "sha256": top1_sha256(predicted, labels)}


def _object(fields: Any, source: str) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise DepthubError(f"{source}: not a run; expected a line that `depthub leaderboard build --pack` wrote")
    return fields


def _run_id(line: bytes) -> str:
    """The run id that a line states first, by which lines are ordered and looked up; reading the line checks it."""
    stated = _RUN_ID.search(line)
    return stated[1].decode() if stated else ""
