"""Faults of a document, with their places: what is wrong with a file that somebody wrote."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A fault of a document.

    Args:
        field: its place: `measurements[0].value`; empty for the whole document.
        reason: in one line, with the given and the expected.
    """

    field: str
    reason: str

    def __str__(self) -> str:
        return self.reason if not self.field or self.reason.startswith(self.field) else f"{self.field}: {self.reason}"
