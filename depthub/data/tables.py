"""Lists in CSV or JSON files, read row by row, each row with its place for error messages."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthub.data.signature import described
from depthub.errors import DepthubError, nearest
from depthub.values.text import listed


@dataclass(frozen=True)
class TableFormat:
    """The columns of one kind of file, and the words for it in messages.

    Args:
        what: name of the kind, for messages, such as "list".
        expected: the expected columns, for messages, beginning with "expected".
        needed: columns of every row.
        optional: further columns in use; all others are ignored.
    """

    what: str
    expected: str
    needed: Sequence[str]
    optional: Sequence[str] = ()

    def require_suffix(self, path: Path) -> str:
        """The ending of the file's name, in lower case.

        Raises:
            DepthubError: if it is neither .csv nor .json.
        """
        suffix = path.suffix.lower()
        if suffix not in (".csv", ".json"):
            raise DepthubError(f"{self.what} {path} ends in {path.suffix!r}, expected .csv or .json")
        return suffix

    def text(self, path: Path) -> str:
        """The file's text.

        Raises:
            DepthubError: if it cannot be read, or is not text in UTF-8.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DepthubError(f"cannot read {self.what} {path}: {error.strerror}; expected a CSV or JSON file") from error
        if description := described(content):
            raise DepthubError(f"{self.what} {path} is {description}; {self.expected}")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DepthubError(f"{self.what} {path} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error

    def csv_rows(self, path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
        """The place of each row, such as "list.csv, line 2", and its fields by column.

        Raises:
            DepthubError: if it is not CSV, or lacks a column.
        """
        reader = csv.reader(io.StringIO(self.text(path), newline=""), strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            self._require_columns(path, header)
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if row and len(row) != len(header):
                    raise DepthubError(
                        f"{where} has {len(row)} fields instead of {len(header)}; put a field with a comma in quotation marks"
                    )
                if row:
                    yield where, dict(zip(header, row, strict=True))
        except csv.Error as error:
            raise DepthubError(f"{path}, line {reader.line_num} is not CSV: {error}") from error

    def json(self, path: Path) -> Any:
        """The content of a JSON file.

        Raises:
            DepthubError: if it is not JSON, or an object in it has a key twice.
        """
        try:
            return json.loads(self.text(path), object_pairs_hook=_distinct)
        except (ValueError, RecursionError) as error:
            raise DepthubError(f"{self.what} {path} is not JSON: {error}") from error

    def _require_columns(self, path: Path, header: Sequence[str]) -> None:
        for key in self.needed:
            if key not in header:
                columns = listed(list(header), 8) or "none"
                raise DepthubError(f"{self.what} {path} has the columns {columns}; {self.expected}{nearest(key, header)}")
        if repeated := sorted({key for key in (*self.needed, *self.optional) if header.count(key) > 1}):
            raise DepthubError(f"{self.what} {path} has the column {repeated[0]} more than once; {self.expected}")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. `dict` alone would keep the last of several values of a key in silence.

    Raises:
        ValueError: for a key that is there twice.
    """
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"the key {name!r} is there twice")
        values[name] = value
    return values
