"""One record of a published implementation: its JSON and its arrays, read and checked."""

from __future__ import annotations

import json
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from depthub.errors import DepthubError, nearest

PRECISIONS = ("fp64", "fp32")
# What numpy raises when the archive is cut off, altered, encrypted or compressed in ways that Python does not know.
_DAMAGE = (OSError, ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
T = TypeVar("T", int, float, str, bool, list[Any], dict[str, Any])


class Record:
    """One case, read and checked as far as all kinds of cases are alike.

    Args:
        path: its JSON file; the arrays lie beside it, in a file of the same name that ends with ".npz".

    Raises:
        DepthubError: if a file is missing or damaged, an array holds anything but numbers, or one is missing that the JSON lists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meta = _json(path)
        self.arrays = _arrays(path.with_suffix(".npz"))
        with named(path):
            for entry in self.key(list, "arrays") if "arrays" in self.meta else []:
                self._check_listed(entry)

    def precisions(self) -> list[str]:
        """Those that it holds results of; none where its numbers have no precision of their own."""
        return [p for p in PRECISIONS if any(name.startswith(f"{p}/") for name in self.arrays)]

    def key(self, kind: type[T], *names: str) -> T:
        """A value of the JSON by the names that lead to it.

        Raises:
            DepthubError: if it is missing or of another type.
        """
        value: Any = self.meta
        for depth, name in enumerate(names, start=1):
            if not isinstance(value, dict) or name not in value:
                raise self.error(f"the key {'.'.join(names[:depth])!r} is missing")
            value = value[name]
        return self.typed(value, kind, ".".join(names))

    def typed(self, value: Any, kind: type[T], name: str) -> T:
        """The value, if it is of this type; a whole number is a float too, true and false are no numbers, and what is infinite is none."""
        accepted = (int, float) if kind is float else (kind,)
        fits = isinstance(value, accepted) and isinstance(value, bool) == (kind is bool)
        if not fits or (kind is float and not abs(value) <= sys.float_info.max):
            raise self.error(f"{name} is {value!r:.60}, expected {kind.__name__}")
        return cast(T, value)

    def rate(self, *names: str) -> float:
        """A number of the JSON that steps are made with.

        Raises:
            DepthubError: if it is missing or negative.
        """
        value = self.key(float, *names)
        if value < 0:
            raise self.error(f"{'.'.join(names)} is {value!r:.60}, expected 0 or more")
        return value

    def entries(self, kind: type[T], *names: str) -> list[T]:
        """A list of the JSON, of one entry at least, all of a type."""
        listed = [self.typed(entry, kind, f"an entry of {'.'.join(names)}") for entry in self.key(list, *names)]
        if not listed:
            raise self.error(f"{'.'.join(names)} is empty")
        return listed

    def array(self, name: str, *shape: int | None) -> NDArray[Any]:
        """An array by its whole name.

        Args:
            name: with the precision, if it has one.
            shape: what it has to be; None stands for any size. Without any: whatever it is.

        Raises:
            DepthubError: if it is missing or of another shape.
        """
        if name not in self.arrays:
            raise self.error(f"the array {name!r} is missing")
        value = self.arrays[name]
        fits = len(value.shape) == len(shape) and all(size in (None, actual) for size, actual in zip(shape, value.shape, strict=True))
        if shape and not fits:
            expected = ", ".join("any" if size is None else str(size) for size in shape)
            raise self.error(f"the array {name!r} has the shape {value.shape}, expected ({expected})")
        return value

    def check_names(self, vocabulary: Iterable[str]) -> None:
        """Refuse results that nobody would compare.

        Args:
            vocabulary: names that results may have, without the precision.

        Raises:
            DepthubError: with the first array of any precision whose name is another.
        """
        names = set(vocabulary)
        for name in self.arrays:
            precision, _, rest = name.partition("/")
            if precision in PRECISIONS and rest not in names:
                raise self.error(f"nothing here compares the array {name!r}{nearest(rest, names) or '; the vocabulary does not have it'}")

    def error(self, what: str) -> DepthubError:
        """What is wrong with it, to be raised."""
        return DepthubError(f"{what}; see Keys in tests/golden/README.md")

    def _check_listed(self, entry: Any) -> None:
        """An array of the JSON's list is there in its shape."""
        listed = self.typed(entry, dict, "an entry of arrays")
        name = self.typed(listed.get("name"), str, "the name of an entry of arrays")
        value = self.array(name)
        if list(value.shape) != listed.get("shape"):
            raise self.error(f"the array {name!r} has the shape {list(value.shape)}, listed is {listed.get('shape')!r:.60}")


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Whatever is found wrong within begins with the case's name."""
    try:
        yield
    except DepthubError as error:
        raise DepthubError(f"{path}: {error}") from error


def _json(path: Path) -> dict[str, Any]:
    _check_file(path)
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(meta, dict):
        raise DepthubError(f"{path} holds {type(meta).__name__}, expected a JSON object that describes {path.stem}.npz")
    return meta


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays; what pickle wrote is never read."""
    _check_file(path)
    try:
        with path.open("rb") as file:  # numpy leaves a file that it opened itself open where the archive is damaged
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DepthubError(f"{path} holds a single array, expected an archive of arrays by name (numpy.savez)")
            with archive:
                return {name: _array(path, archive, name) for name in archive}
    except _DAMAGE as error:
        raise _unreadable(path, error) from error


def _array(path: Path, archive: np.lib.npyio.NpzFile, name: str) -> NDArray[Any]:
    try:
        value = archive[name]
    except _DAMAGE as error:
        raise DepthubError(f"{path}: cannot read the array {name!r}: {_line(error)}; get the file anew") from error
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        raise DepthubError(f"{path}: {name!r} is {getattr(value, 'dtype', 'no array')}, expected an array of numbers")
    return value


def _check_file(path: Path) -> None:
    """Refuse what is not there, and what one could wait for without end: a pipe, for example."""
    if not path.is_file():
        raise DepthubError(
            f"{path} is {'no file' if path.exists() else 'missing'}; a case is NAME.json with its arrays in NAME.npz beside it"
        )


def _unreadable(path: Path, error: BaseException) -> DepthubError:
    return DepthubError(f"cannot read {path}: {_line(error)}; get the file anew")


def _line(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
