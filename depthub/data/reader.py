"""Reads the pictures of a data set by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from depthub.data import pictures
from depthub.identity.file_digests import files_sha256


@dataclass(frozen=True)
class FolderReader:
    """Reads pictures below a folder; an id is a path relative to it.

    Args:
        root: the folder.
        edge: pixels that the shorter edge keeps at least where a JPEG file is decoded at a fraction of its size; 0: always the whole.
        background: colour that transparent parts are laid on; empty: they show whatever colour lies beneath.
        remedy: what to do about a picture that cannot be read.
    """

    root: Path
    edge: int = 0
    background: str = ""
    remedy: str = pictures.REMEDY

    def __call__(self, name: str) -> Image.Image:
        """The picture in RGB.

        Raises:
            UnreadableImageError: if it cannot be read; the message names the file.
        """
        return pictures.read(self.root / name, self.background, self.edge, self.remedy)

    def at_least(self, edge: int) -> FolderReader:
        """The reader that decodes JPEG files no larger than their shorter edge needs, in pixels."""
        return replace(self, edge=edge)

    def fingerprint(self, name: str) -> str:
        """SHA-256 of the file, and how it is read: pictures in other places or under other names have the same if they are the same.

        Raises:
            DepthubError: if the file cannot be read.
        """
        return self.fingerprints([name])[0]

    def fingerprints(self, names: Sequence[str]) -> list[str]:
        """What `fingerprint` gives, of many pictures at a time.

        Raises:
            DepthubError: if a file cannot be read.
        """
        return [self.print_of(sha256) for sha256 in files_sha256([self.root / name for name in names])]

    def print_of(self, sha256: str) -> str:
        """The fingerprint of a picture whose file has this SHA-256."""
        return f"{sha256} edge={self.edge} background={pictures.colour(self.background)}"
