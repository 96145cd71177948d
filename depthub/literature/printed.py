"""Printed tables as data: one number in a line, with the decimals that it was printed with."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO
from math import isfinite
from pathlib import Path

from depthub.errors import DepthubError, hint

AVERAGE = "average"  # in the place of a data set
CHANGE = " change"  # ends the name of a score's difference from the first row of its table
COLUMNS = ("table", "row", "data", "shots", "score", "value")
LARGEST = 10_000_000  # bytes of a file


@dataclass(frozen=True)
class Printed:
    """A number of a table.

    Args:
        table: its name.
        row: the method, with its host: "KgCoOp+DePT".
        data: a data set, or "average".
        shots: images per class; empty if the table does not say.
        score: "base", "new", "H", "source", "target" or another; with " change" at the end the difference from the table's first row.
        value: percent, or points.
        decimals: that it was printed with.
    """

    table: str
    row: str
    data: str
    shots: str
    score: str
    value: float
    decimals: int

    @property
    def half(self) -> float:
        """The most that rounding changed."""
        return float(0.5 * 10.0**-self.decimals)

    @property
    def text(self) -> str:
        """As it was printed."""
        return f"{self.value:.{self.decimals}f}"

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        shots = f", {self.shots} shots" if self.shots else ""
        return f"table {self.table}, {self.row}, {self.data}{shots}, {self.score}"


def read(path: Path) -> list[Printed]:
    """The numbers of a CSV file with the columns table, row, data, shots, score and value; table and shots may be missing.

    Raises:
        DepthubError: if it cannot be read, or a line is not such a number.
    """
    return parsed(text_of(path), str(path))


def text_of(path: Path) -> str:
    """The text of a file of tables.

    Raises:
        DepthubError: if it cannot be read, is larger than any table, or is not UTF-8.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise DepthubError(f"{path} has more than {LARGEST:,} bytes; expected a table of printed numbers")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DepthubError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}") from error


def published(name: str) -> list[Printed]:
    """The numbers of a publication that comes with depthub.

    Raises:
        DepthubError: if there is none of that name.
    """
    names = [
        path.name.removesuffix(".csv") for path in files("depthub.literature").joinpath("published").iterdir() if path.name.endswith(".csv")
    ]
    if name not in names:
        raise DepthubError(f"no publication {name!r}{hint(name, names)}")
    return parsed(files("depthub.literature").joinpath("published", f"{name}.csv").read_text(encoding="utf-8"), name)


def parsed(text: str, source: str) -> list[Printed]:
    """The numbers of CSV text.

    Args:
        text: with a header.
        source: its name, for messages.

    Raises:
        DepthubError: for a missing column, a value that is no number, or one that stands twice.
    """
    lines = csv.DictReader(StringIO(text))
    header = [name.strip() for name in lines.fieldnames or ()]
    lines.fieldnames = header
    for column in ("row", "data", "score", "value"):
        if column not in header:
            raise DepthubError(f"{source} has no column {column!r}; expected {', '.join(COLUMNS)}")
    try:
        numbers = [_number(line, f"{source}, line {lines.line_num}") for line in lines]
    except csv.Error as error:
        raise DepthubError(f"{source}, line {lines.line_num}: {error}") from error
    refuse_repeats(numbers, source)
    return numbers


def _number(line: dict[str, str | None], place: str) -> Printed:
    cells = {column: (line.get(column) or "").strip() for column in COLUMNS}
    try:
        value = float(cells["value"])
    except ValueError:
        value = float("nan")
    if not isfinite(value) or abs(value) > 100:
        raise DepthubError(f"{place}: value is {cells['value']!r}, expected a percentage, such as 81.50")
    decimals = len(cells["value"].partition(".")[2])
    return Printed(cells["table"], cells["row"], cells["data"], cells["shots"], cells["score"], value, decimals)


def refuse_repeats(numbers: Iterable[Printed], source: str) -> None:
    """Refuse numbers of which two stand in one place.

    Args:
        numbers: of one source.
        source: its name, for the message.

    Raises:
        DepthubError: for the first that stands twice.
    """
    places: set[str] = set()
    for number in numbers:
        if number.place in places:
            raise DepthubError(f"{source} has {number.place} twice; give each number once")
        places.add(number.place)
