"""The reader of a data set's pictures: from a name to pixels."""

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
        edge: least pixels of the shorter edge of a JPEG file that is decoded at a fraction of its size; 0: full size.
        background: colour behind transparent parts; empty: the colour that the file stores there.
        remedy: remedy in the error for an unreadable picture.
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
        """The same reader, but JPEG files are decoded smaller where their shorter edge keeps at least `edge` pixels."""
        return replace(self, edge=edge)

    def fingerprint(self, name: str) -> str:
        """SHA-256 of the file, and how it is read; the same for equal files in other places or under other names.

        Raises:
            DepthubError: if the file cannot be read.
        """
        return self.fingerprints([name])[0]

    def fingerprints(self, names: Sequence[str]) -> list[str]:
        """The `fingerprint` of many pictures.

        Raises:
            DepthubError: if a file cannot be read.
        """
        return [self.fingerprint_of(sha256) for sha256 in files_sha256([self.root / name for name in names])]

    def fingerprint_of(self, sha256: str) -> str:
        """The fingerprint of a picture with this SHA-256 of its file."""
        return f"{sha256} edge={self.edge} background={pictures.colour(self.background)}"
