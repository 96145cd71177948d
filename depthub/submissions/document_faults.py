"""The document of a submission beside its folder, its board and its runs' file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from depthub.literature.leagues import implied
from depthub.records.document_checks import content_sha256
from depthub.records.faults import Fault
from depthub.records.run_files import content
from depthub.submissions.definition import Definition
from depthub.submissions.files import LARGEST, RUNS


def document_faults(document: Mapping[str, Any], folder: Path, definition: Definition) -> Iterator[Fault]:
    """Every fault of a submission's document beyond its form."""
    if document["id"] != folder.name:
        yield Fault("id", f"id is {document['id']!r}, the folder's name {folder.name!r}")
    if document["board"] != definition.name:
        yield Fault("board", f"board is {document['board']!r}, this is {definition.name!r}")
    if document["sha256"] != content_sha256(document):
        yield Fault("sha256", "sha256 is not the digest of the content; the file was edited, pack the submission again")
    if document["supersedes"] == document["id"]:
        yield Fault("supersedes", "a submission cannot supersede itself")
    least = implied(document["disclosures"])
    if document["league"] != least:
        yield Fault("league", f"league is {document['league']}, but the disclosures put the row into {least}")
    runs = content(folder / RUNS, LARGEST[RUNS])
    if document["runs"]["bytes"] != len(runs):
        yield Fault("runs.bytes", f"{document['runs']['bytes']}, but {RUNS} has {len(runs)}")
    if document["runs"]["sha256"] != hashlib.sha256(runs).hexdigest():
        yield Fault("runs.sha256", f"not the digest of {RUNS}; the file was edited, pack the submission again")
