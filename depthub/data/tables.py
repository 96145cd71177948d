"""Files in which a user lists something, CSV or JSON, read row by row; every row knows where it stands."""

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
class Form:
    """What a file of a kind holds.

    Args:
        what: such a file is, for messages: "list".
        expected: of it, for messages, from the word "expected" on.
        needed: columns that every row has.
        optional: further columns that count; all others do not.
    """

    what: str
    expected: str
    needed: Sequence[str]
    optional: Sequence[str] = ()

    def require_suffix(self, path: Path) -> str:
        """The end of the file's name, in lower case.

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
            DepthubError: if it cannot be read, or is no text in UTF-8.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DepthubError(f"cannot read {self.what} {path}: {error.strerror}; expected a CSV or JSON file") from error
        if what := described(content):
            raise DepthubError(f"{self.what} {path} is {what}; {self.expected}")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DepthubError(f"{self.what} {path} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error

    def csv_rows(self, path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Where each row stands, and its fields by column.

        Raises:
            DepthubError: if it is no CSV, or lacks a column.
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
            raise DepthubError(f"{path}, line {reader.line_num} is no CSV: {error}") from error

    def json(self, path: Path) -> Any:
        """What the file holds.

        Raises:
            DepthubError: if it is no JSON, or an object in it has a key twice.
        """
        try:
            return json.loads(self.text(path), object_pairs_hook=_distinct)
        except (ValueError, RecursionError) as error:
            raise DepthubError(f"{self.what} {path} is no JSON: {error}") from error

    def _require_columns(self, path: Path, header: Sequence[str]) -> None:
        for key in self.needed:
            if key not in header:
                columns = listed(list(header), 8) or "none"
                raise DepthubError(f"{self.what} {path} has the columns {columns}; {self.expected}{nearest(key, header)}")
        if twice := sorted({key for key in (*self.needed, *self.optional) if header.count(key) > 1}):
            raise DepthubError(f"{self.what} {path} has the column {twice[0]} more than once; {self.expected}")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, whose later values must not replace earlier ones in silence."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return made
