"""The content of a submission's files, with digests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError
from depthub.records import schema
from depthub.records.document_checks import content_sha256
from depthub.submissions.files import RUNS, SUBMISSION


def require_name(name: str) -> str:
    """A name that a submission may have.

    Raises:
        DepthubError: for any other.
    """
    if not re.fullmatch(schema.load("submission")["properties"]["id"]["pattern"], name):
        raise DepthubError(f"name is {name!r}, expected 2 to 63 lower-case letters, digits and hyphens, such as coop-dept")
    return name


def write(folder: Path, document: Mapping[str, Any], runs: bytes) -> dict[str, bytes]:
    """The files of a submission, the digests in its document set.

    Args:
        folder: whose name is the id.
        document: without `runs` and `sha256`.
        runs: the packed runs.

    Raises:
        DepthubError: if the document does not fit the schema.
    """
    fields = {**schema.header("submission"), **document, "runs": {"sha256": hashlib.sha256(runs).hexdigest(), "bytes": len(runs)}}
    fields |= {"sha256": content_sha256(fields)}
    schema.validate(fields, "submission", str(folder / SUBMISSION))
    return {SUBMISSION: json.dumps(fields, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n", RUNS: runs}
