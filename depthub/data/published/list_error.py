"""The error for an unusable list of images: the file, its fault and the remedy, each by itself."""

from __future__ import annotations

from pathlib import Path

from depthub.errors import DepthubError


class UnusableListError(DepthubError):
    """A file that should list images and cannot be used. A check reports file and fault, and has a remedy of its own.

    Attributes:
        file: the file.
        fault: its fault, as a predicate of the file, such as "is cut off after 700 bytes".
    """

    file: Path
    fault: str

    @classmethod
    def of(cls, file: Path, fault: str, remedy: str) -> UnusableListError:
        """The error with its message in one line."""
        error = cls(f"{file} {fault}; {remedy}")
        error.file, error.fault = file, fault
        return error
