"""The outcome of the checks of a submission: all faults with their files and fields, and what could be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from depthub.records.faults import Fault
from depthub.records.result import RunResult
from depthub.submissions.verification import Verification
from depthub.values.text import plain


@dataclass(frozen=True)
class FileFault:
    """A fault with its file.

    Args:
        file: in the submission's folder, with a line where it has lines; empty for the folder.
        fault: in it.
    """

    file: str
    fault: Fault

    def __str__(self) -> str:
        return plain(f"{self.file}: {self.fault}" if self.file else str(self.fault))

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {"file": plain(self.file), "field": plain(self.fault.field), "reason": plain(self.fault.reason)}


@dataclass(frozen=True)
class Verdict:
    """The outcome of the checks of a submission.

    Args:
        name: of its folder.
        faults: none for a valid one.
        document: as far as it could be read; empty if it could not.
        results: the readable runs.
        verifications: signed records that hold.
        sha256: of submission.json's bytes.
    """

    name: str
    faults: tuple[FileFault, ...]
    document: Mapping[str, Any]
    results: tuple[RunResult, ...] = ()
    verifications: tuple[Verification, ...] = ()
    sha256: str = ""

    @property
    def valid(self) -> bool:
        """Whether no fault was found."""
        return not self.faults
