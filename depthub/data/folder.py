"""Your own pictures: `folder:PATH` with a sub-folder for each class."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from PIL import Image, UnidentifiedImageError

from depthub.data.dataset import Data, DataSet, Examples
from depthub.errors import DepthubError
from depthub.spec import digest
from depthub.types import ClassSet

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class FolderReader:
    """Reads pictures below a folder; an id is a path relative to it.

    Args:
        root: the folder.
        edge: pixels that the shorter edge keeps at least where a JPEG file is decoded at a fraction of its size; 0: always the whole.
    """

    root: Path
    edge: int = 0

    def __call__(self, name: str) -> Image.Image:
        """The picture in RGB.

        Raises:
            DepthubError: if it cannot be read; the message names the file.
        """
        try:
            with Image.open(self.root / name) as picture:
                picture.info.pop("transparency", None)  # RGB has none, and Pillow warns of its loss
                if self.edge:
                    picture.draft("RGB", (self.edge, self.edge))
                return picture.convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise DepthubError(f"cannot read image {self.root / name}: {error}; replace or remove the file") from error

    def at_least(self, edge: int) -> FolderReader:
        """The reader that decodes JPEG files no larger than their shorter edge needs, in pixels."""
        return replace(self, edge=edge)

    def fingerprint(self, name: str) -> str:
        """The reader with its place, and the file's size and time of change: enough to notice another picture, at no cost.

        Raises:
            DepthubError: if there is no such file.
        """
        try:
            state = (self.root / name).stat()
        except OSError as error:
            raise DepthubError(f"cannot read image {self.root / name}: {error.strerror}; replace or remove the file") from error
        return f"{self} {self.root.absolute()} {name} {state.st_size} {state.st_mtime_ns}"


class Folder(DataSet):
    """Pictures as `train/<class>/*` and `test/<class>/*`, or as `<class>/*` with a share of each class held out for testing.

    Args:
        path: the folder.
        test_fraction: share of each class's pictures, in (0, 1), that becomes the test set where there is no `train` and `test`. Which
            ones depends on the file names alone.
    """

    augmentation: Literal["published", "none"] = "published"

    def __init__(self, path: Path, test_fraction: float = 0.5) -> None:
        self.name, self.path, self.test_fraction = f"folder:{path}", path, test_fraction

    def load(self, root: Path | None = None) -> Data:
        if not self.path.is_dir():
            raise DepthubError(f"no folder {self.path}; expected train/<class>/* and test/<class>/*, or <class>/*, below it")
        parts = [self.path / part for part in ("train", "test")]
        if all(part.is_dir() for part in parts):
            train, test = (self._pictures(part) for part in parts)
            strangers = sorted(test.keys() ^ train.keys())
            if strangers:
                raise DepthubError(f"{self.path}: train and test must hold the same classes; {', '.join(strangers)} is in one of them only")
        else:
            train, test = self._divided(self._pictures(self.path))
        names = sorted(train)
        classes = ClassSet(f"folder:{self.path.name}", tuple(range(len(names))), tuple(names))
        return Data(classes, self._examples(names, train), self._examples(names, test))

    def digest(self, root: Path | None = None) -> str:
        """SHA-256 over names, sizes and the division of all pictures."""
        data = self.load()
        listed = {
            part: [[name, (self.path / name).stat().st_size] for name in ids]
            for part, ids in (("train", data.train.ids), ("test", data.test.ids))
        }
        return digest(listed)

    def _pictures(self, folder: Path) -> dict[str, list[str]]:
        """Class name to the sorted names of its pictures, relative to the data set's folder."""
        classes = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
        if len(classes) < 2:
            raise DepthubError(
                f"{folder} holds {len(classes)} class folders; expected at least 2, each named as its class and full of pictures"
            )
        found = {
            child.name: sorted(p.relative_to(self.path).as_posix() for p in child.rglob("*") if p.suffix.lower() in SUFFIXES)
            for child in classes
        }
        empty = [name for name, pictures in found.items() if not pictures]
        if empty:
            raise DepthubError(
                f"class folders without images in {folder}: {', '.join(empty)}; add pictures ({', '.join(sorted(SUFFIXES))}) or remove them"
            )
        return found

    def _divided(self, pictures: dict[str, list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        if not 0 < self.test_fraction < 1:
            raise DepthubError(f"test_fraction is {self.test_fraction}; expected a share between 0 and 1")
        train, test = {}, {}
        for name, own in pictures.items():
            held = max(1, round(self.test_fraction * len(own)))
            if held >= len(own):
                raise DepthubError(
                    f"class {name!r} has {len(own)} picture(s), too few to hold out {held} for testing; add pictures or lower test_fraction"
                )
            mixed = random.Random(0).sample(own, len(own))
            test[name], train[name] = sorted(mixed[:held]), sorted(mixed[held:])
        return train, test

    def _examples(self, names: list[str], pictures: dict[str, list[str]]) -> Examples:
        pairs = [(picture, label) for label, name in enumerate(names) for picture in pictures[name]]
        return Examples(tuple(p for p, _ in pairs), tuple(label for _, label in pairs), FolderReader(self.path))
