"""The files of a submission's folder, before anything in them is read: nothing but the expected names, plain files of a plain size."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

SUBMISSION, RUNS, VERIFICATION = "submission.json", "runs.jsonl", "verification.jsonl"
LARGEST = {SUBMISSION: 2**20, RUNS: 2**26, VERIFICATION: 2**22}  # bytes


def faults(folder: Path) -> Iterator[tuple[str, str]]:
    """Every (file, reason) that speaks against reading a folder."""
    try:
        if folder.is_symlink() or not folder.is_dir():
            yield "", "not a folder; expected one with submission.json and runs.jsonl"
            return
        with os.scandir(folder) as scan:
            present = {entry.name: entry.stat(follow_symlinks=False) for entry in scan}
    except OSError as error:
        yield "", f"cannot be read: {error.strerror or error}"
        return
    for name, status in sorted(present.items()):
        if name not in LARGEST:
            yield name, f"not a file of a submission; expected {', '.join(LARGEST)} alone"
        elif not stat.S_ISREG(status.st_mode):
            yield name, "not a regular file (a link, a folder or a device)"
        elif status.st_size > LARGEST[name]:
            yield name, f"{status.st_size:,} bytes, expected at most {LARGEST[name]:,}"
    yield from ((name, "missing") for name in (SUBMISSION, RUNS) if name not in present)
