"""Edits of submissions, with the digests that a careful forger would derive again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from depthub.records.document_checks import content_sha256
from depthub.records.packed import TOP1
from depthub.submissions.files import RUNS, SUBMISSION


def edit(folder: Path, change: Callable[[dict[str, Any]], Any], *, forged: bool = True) -> None:
    """Change a submission's document.

    Args:
        folder: of the submission.
        change: of the fields, in place.
        forged: derive its own digest again.
    """
    path = folder / SUBMISSION
    fields = json.loads(path.read_bytes())
    change(fields)
    if forged:
        fields["sha256"] = content_sha256(fields)
    path.write_text(json.dumps(fields))


def edit_run(folder: Path, number: int, change: Callable[[dict[str, Any]], Any], *, forged: bool = True) -> None:
    """Change a line of a submission's runs; with `forged` the digests of the run, of the file and of the document are derived again.

    Args:
        folder: of the submission.
        number: of the run, from 0.
        change: of its fields, in place.
        forged: derive digests again.
    """
    from depthub.records.packed import packed_runs

    path = folder / RUNS
    header, *lines = path.read_text().splitlines()
    fields = json.loads(lines[number])
    change(fields)
    lines[number] = json.dumps(fields)
    path.write_text("\n".join([header, *lines]) + "\n")
    if not forged:
        return
    document, top1 = packed_runs(path)[number]._restored()
    fields["sha256"] = content_sha256(document)
    lines[number] = json.dumps(fields)
    path.write_text("\n".join([header, *lines]) + "\n")
    assert top1 is not None or TOP1 not in fields
    adopt(folder)


def adopt(folder: Path) -> None:
    """Give a submission's document the digest of its runs as they are now."""
    runs = (folder / RUNS).read_bytes()
    edit(folder, lambda fields: fields.update(runs={"sha256": hashlib.sha256(runs).hexdigest(), "bytes": len(runs)}))
