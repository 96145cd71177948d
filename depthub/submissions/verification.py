"""Records of runs that others did again: a line each in `verification.jsonl`, signed, and checked against the submission's own counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError
from depthub.records import schema
from depthub.records.faults import Fault
from depthub.records.result import RunResult
from depthub.records.run_files import content
from depthub.submissions.files import LARGEST
from depthub.submissions.signatures import Signers
from depthub.values.canonical import canonical

SIGNATURE = "signature"
RULE = "abs(difference) <= max(0.5, 2 * sqrt(SE1^2 + SE2^2))"
LEAST = 0.5  # points


@dataclass(frozen=True)
class Verification:
    """A signed record.

    Args:
        document: of kind `verification`.
    """

    document: Mapping[str, Any]

    @property
    def agrees(self) -> bool:
        """Whether every count that was compared lies within the stated tolerance."""
        return all(within(one["submitted"], one["reproduced"], one["n_total"]) for one in self.document["compared"])


def within(submitted: int, reproduced: int, images: int) -> bool:
    """Whether two counts of the same images agree: to half a point, or twice the standard error of their difference."""
    shares = [count / images for count in (submitted, reproduced)]
    error = 100 * sqrt(sum(share * (1 - share) / images for share in shares))
    return abs(100 * (shares[0] - shares[1])) <= max(LEAST, 2 * error)


def message(document: Mapping[str, Any]) -> bytes:
    """The bytes that are signed."""
    return canonical({key: value for key, value in document.items() if key != SIGNATURE})


def verifications(
    path: Path, submission: Mapping[str, Any], sha256: str, results: Mapping[str, RunResult], signers: Signers | None
) -> tuple[list[Verification], list[tuple[str, Fault]]]:
    """The records of a submission that hold, and the faults of the others.

    Args:
        path: of `verification.jsonl`, which need not be there.
        submission: its document.
        sha256: of its bytes.
        results: the submission's runs by place.
        signers: whose signatures count; None: they are not looked at, and no record holds.
    """
    records: list[Verification] = []
    faults: list[tuple[str, Fault]] = []
    if not path.exists():
        return records, faults
    runs = {run.spec.run_id: run for run in results.values()}
    for number, line in enumerate(content(path, LARGEST[path.name]).splitlines(), 1):
        place = f"{path.name}, line {number}"
        try:
            document = schema.parse(line, place)
        except DepthubError as error:
            faults.append(("", Fault("", str(error))))
            continue
        of_line = list(schema.faults(document, "verification")) or [*_of_record(document, submission, sha256, runs)]
        if not of_line and signers and not signers.confirms(document[SIGNATURE], document["by"], message(document)):
            of_line = [Fault(SIGNATURE, f"not a signature of {document['by']} over this record that the board's allowed_signers confirm")]
        faults += [(place, fault) for fault in of_line]
        if not of_line and signers:
            records.append(Verification(document))
    return records, faults


def _of_record(document: Mapping[str, Any], submission: Mapping[str, Any], sha256: str, runs: Mapping[str, RunResult]) -> Iterator[Fault]:
    if document["submission"] != submission["id"]:
        yield Fault("submission", f"a record of {document['submission']!r}, not of {submission['id']!r}")
    if document["submission_sha256"] != sha256:
        yield Fault("submission_sha256", "not the digest of this submission.json; it was changed after the record")
    if document["by"] == submission["submitter"]["contact"]:
        yield Fault("by", "the submitter's own identity; others reproduce")
    for index, one in enumerate(document["compared"]):
        run = runs.get(one["run_id"])
        count = run.counts.get(one["task"]) if run else None
        if count is None:
            yield Fault(f"compared[{index}]", f"compared[{index}]: no run {one['run_id'][:12]} with task {one['task']!r}")
        elif (one["submitted"], one["n_total"]) != (count.n_correct, count.n_total) or one["reproduced"] > one["n_total"]:
            yield Fault(
                f"compared[{index}]",
                f"compared[{index}]: {one['submitted']} of {one['n_total']}, the submission has {count.n_correct} of {count.n_total}",
            )


def agreed(records: Sequence[Verification]) -> bool:
    """Whether a submission counts as reproduced: there is a record, and in none do counts differ by more than the tolerance."""
    return bool(records) and all(record.agrees for record in records)
