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
# Numpy's errors for an archive that is cut off, altered, encrypted or compressed with an unknown method.
_DAMAGE = (OSError, ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
T = TypeVar("T", int, float, str, bool, list[Any], dict[str, Any])


class Record:
    """One case, read and checked for the rules that all kinds of cases share.

    Args:
        path: its JSON file; the arrays lie beside it, in a file of the same name that ends with ".npz".

    Raises:
        DepthubError: if a file or a listed array is missing, a file is damaged, or an array does not hold numbers.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meta = _json(path)
        self.arrays = _arrays(path.with_suffix(".npz"))
        with named(path):
            for entry in self.key(list, "arrays") if "arrays" in self.meta else []:
                self._check_listed(entry)

    def precisions(self) -> list[str]:
        """The precisions of its results; empty if its numbers have no precision."""
        return [p for p in PRECISIONS if any(name.startswith(f"{p}/") for name in self.arrays)]

    def key(self, kind: type[T], *names: str) -> T:
        """A value of the JSON by its path of keys.

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
        """A value, checked for its type. An integer is also a float; a bool is not a number; infinite values are refused."""
        accepted = (int, float) if kind is float else (kind,)
        fits = isinstance(value, accepted) and isinstance(value, bool) == (kind is bool)
        if not fits or (kind is float and not abs(value) <= sys.float_info.max):
            raise self.error(f"{name} is {value!r:.60}, expected {kind.__name__}")
        return cast(T, value)

    def rate(self, *names: str) -> float:
        """A rate of the optimizer.

        Raises:
            DepthubError: if it is missing or negative.
        """
        value = self.key(float, *names)
        if value < 0:
            raise self.error(f"{'.'.join(names)} is {value!r:.60}, expected 0 or more")
        return value

    def entries(self, kind: type[T], *names: str) -> list[T]:
        """A list of the JSON: at least one entry, all of one type."""
        listed = [self.typed(entry, kind, f"an entry of {'.'.join(names)}") for entry in self.key(list, *names)]
        if not listed:
            raise self.error(f"{'.'.join(names)} is empty")
        return listed

    def array(self, name: str, *shape: int | None) -> NDArray[Any]:
        """An array by its full name.

        Args:
            name: with the precision, if it has one.
            shape: the required sizes; None: any size. Without sizes, any shape.

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
        """Refuse results that no code would compare.

        Args:
            vocabulary: the valid names of results, without the precision.

        Raises:
            DepthubError: for the first array with another name, in any precision.
        """
        names = set(vocabulary)
        for name in self.arrays:
            precision, _, rest = name.partition("/")
            if precision in PRECISIONS and rest not in names:
                raise self.error(f"nothing here compares the array {name!r}{nearest(rest, names) or '; the vocabulary does not have it'}")

    def error(self, what: str) -> DepthubError:
        """An error about the record, to be raised."""
        return DepthubError(f"{what}; see Keys in tests/golden/README.md")

    def _check_listed(self, entry: Any) -> None:
        """Check that an array of the JSON's list exists in its shape."""
        listed = self.typed(entry, dict, "an entry of arrays")
        name = self.typed(listed.get("name"), str, "the name of an entry of arrays")
        value = self.array(name)
        if list(value.shape) != listed.get("shape"):
            raise self.error(f"the array {name!r} has the shape {list(value.shape)}, listed is {listed.get('shape')!r:.60}")


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Put the path of the case before every error of the block."""
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
    """All arrays; pickled objects are never loaded."""
    _check_file(path)
    try:
        with path.open("rb") as file:  # for a damaged archive numpy would not close a file that it opened itself
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
        raise DepthubError(f"{path}: {name!r} is {getattr(value, 'dtype', 'not an array')}, expected an array of numbers")
    return value


def _check_file(path: Path) -> None:
    """Refuse missing files, and others than regular files: reading a pipe could wait forever."""
    if not path.is_file():
        raise DepthubError(
            f"{path} is {'not a file' if path.exists() else 'missing'}; a case is NAME.json with its arrays in NAME.npz beside it"
        )


def _unreadable(path: Path, error: BaseException) -> DepthubError:
    return DepthubError(f"cannot read {path}: {_line(error)}; get the file anew")


def _line(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
