"""The checks of a submission: everything in it that can be derived is derived again, and every fault is listed, not only the first."""

from __future__ import annotations

import hashlib
from pathlib import Path

from depthub.errors import DepthubError
from depthub.records import schema
from depthub.records.faults import Fault
from depthub.records.run_files import content
from depthub.submissions import files
from depthub.submissions.definition import Definition
from depthub.submissions.document_faults import document_faults
from depthub.submissions.files import LARGEST, RUNS, SUBMISSION, VERIFICATION
from depthub.submissions.row_checks import row_faults
from depthub.submissions.run_lines import MOST, read_runs
from depthub.submissions.signatures import Signers
from depthub.submissions.verdict import FileFault, Verdict
from depthub.submissions.verification import verifications


def validate(folder: Path, definition: Definition, signers: Signers | None = None) -> Verdict:
    """Check a submission.

    Args:
        folder: with its files.
        definition: of the board.
        signers: identities whose records count; None: signatures are not looked at.
    """
    if faults := [FileFault(file, Fault("", reason)) for file, reason in files.faults(folder)]:
        return Verdict(folder.name, tuple(faults), {})
    text = content(folder / SUBMISSION, LARGEST[SUBMISSION])
    sha256 = hashlib.sha256(text).hexdigest()
    try:
        document = schema.parse(text, SUBMISSION)
    except DepthubError as error:
        return Verdict(folder.name, (FileFault("", Fault("", str(error))),), {}, sha256=sha256)
    if of_form := [FileFault(SUBMISSION, fault) for fault in schema.faults(document, "submission")]:
        return Verdict(folder.name, tuple(of_form[:MOST]), {}, sha256=sha256)
    results, of_runs = read_runs(folder / RUNS)
    of_document = [FileFault(SUBMISSION, fault) for fault in document_faults(document, folder, definition)]
    of_row = [*row_faults(document, results, definition)] if not of_runs else []
    records, faulty = verifications(folder / VERIFICATION, document, sha256, results, signers)
    of_records = [FileFault(file, fault) for file, fault in faulty]
    return Verdict(
        folder.name, (*of_document, *of_runs, *of_row, *of_records), document, tuple(results.values()), tuple(records), sha256=sha256
    )
