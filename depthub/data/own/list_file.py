"""Your own pictures, named in a list: `list:FILE.csv` or `list:FILE.json`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from depthub.data.listing import PLAIN_PATHS, Listing, is_plain_path, is_printable
from depthub.data.own.division import Division, divide_by_names, divide_by_share, part_of, require_parts
from depthub.data.own.naming import LABELS, Naming
from depthub.data.own.own_pictures import OwnPictures
from depthub.data.parts import Part
from depthub.data.reader import FolderReader
from depthub.data.tables import TableFormat
from depthub.errors import DepthubError

SPLIT = "split"
FORMAT = TableFormat(
    "list",
    "expected the columns path and label, separated by commas, and split (train, val or test) if the list divides the pictures",
    ("path", "label"),
    (SPLIT,),
)


class Entry(NamedTuple):
    """One picture of a list: its path, its class's name, its part (empty: the list has none), and its place in the list."""

    path: str
    label: str
    split: str
    where: str


class ListedPictures(OwnPictures):
    """Pictures in a list: CSV with column names in the first line, or JSON, a list of objects with the same keys.

        path,label,split
        photos/1.jpg,cat,train
        photos/2.jpg,dog,test

    `path` is relative to the list's folder, with `/` between names; `label` is the class's name; `split` is train, val or test. Other
    columns are ignored. Without `split`, a share of each class is held out for testing.

    Args:
        path: the list; its name ends in .csv or .json.
        test_fraction: that share, in (0, 1).
        background: colour behind transparent parts, by a name of Pillow; empty: the colour that the file stores there.
        naming: names for the labels.
        whole: without `split`, all pictures are for testing.

    Raises:
        DepthubError: if there is no such colour.
    """

    def __init__(
        self, path: Path, test_fraction: float = 0.5, background: str = "", naming: Naming = LABELS, *, whole: bool = False
    ) -> None:
        read = FolderReader(path.parent, background=background, remedy="replace the file or remove it from the list")
        super().__init__(f"list:{path}", f"list:{path.name}", read, naming, None if whole else test_fraction)
        self.path = path

    def divide(self) -> Division:
        entries = list(_entries(self.path))
        self._require_pictures(entries)
        if not any(entry.split for entry in entries):
            return divide_by_share(_by_class(entries), self.share, str(self.path))
        by_part = defaultdict[Part, list[Entry]](list)
        for entry in entries:
            part = part_of(entry.split)
            if part is None:
                raise DepthubError(f"{entry.where}: split is {entry.split!r}, expected train, val or test")
            by_part[part].append(entry)
        remedy = "name pictures for testing with test or val, or leave the column split out"
        require_parts(by_part, str(self.path), remedy, trained=self.share is not None)
        return divide_by_names({part: _by_class(of_part) for part, of_part in by_part.items()}, str(self.path))

    def _require_pictures(self, entries: list[Entry]) -> None:
        """Refuse paths that are not plain, repeated, or without a picture."""
        first: dict[str, Entry] = {}
        for entry in entries:
            if not is_plain_path(entry.path) or not is_printable(entry.path):
                raise DepthubError(f"{entry.where}: path {entry.path!r}: {PLAIN_PATHS}, from the folder of the list")
            if entry.path in first:
                raise DepthubError(f"{entry.where}: {entry.path} is listed before, {first[entry.path].where}; list each picture once")
            first[entry.path] = entry
        presence = Listing(self.path.parent).presence(first)
        faults = {
            **dict.fromkeys(presence.missing, "there is no such file"),
            **dict.fromkeys(presence.empty, "the file is empty"),
            **{path: f"the name on disk is {on_disk}" for path, on_disk in presence.other_case.items()},
            **{path: f"it is {obstacle}" for path, obstacle in presence.unfit.items()},
        }
        if faults:
            path = next(path for path in first if path in faults)
            where = f"{first[path].where}: {self.path.parent / path}"
            raise DepthubError(f"{where}: {faults[path]} ({len(faults)} of {len(first)} like it); correct the list")
        n_classes = len({entry.label for entry in entries})
        if n_classes < 2:
            raise DepthubError(f"{self.path} lists {n_classes} classes; expected at least 2")


def _by_class(entries: list[Entry]) -> dict[str, list[str]]:
    by_class = defaultdict[str, list[str]](list)
    for entry in entries:
        by_class[entry.label].append(entry.path)
    return {label: sorted(paths) for label, paths in by_class.items()}


def _entries(path: Path) -> Iterator[Entry]:
    """The entries of a list, checked row by row.

    Raises:
        DepthubError: naming the list and the row.
    """
    rows = FORMAT.csv_rows(path) if FORMAT.require_suffix(path) == ".csv" else _json_rows(path)
    for where, row in rows:
        values = [row[key] for key in FORMAT.needed] + [row.get(SPLIT) or ""]
        for key, value in zip((*FORMAT.needed, SPLIT), values, strict=True):
            if not isinstance(value, str):
                raise DepthubError(f"{where}: {key} is {value!r:.80}, expected a text in quotation marks")
        image, label, split = values
        if not label.strip() or not is_printable(label):
            raise DepthubError(f"{where}: label is {label!r:.80}, expected the name of a class, in one line")
        yield Entry(image, label.strip(), split.strip(), where)


def _json_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    rows = FORMAT.json(path)
    if not isinstance(rows, list):
        raise DepthubError(f'list {path} holds no list; expected [{{"path": "a.jpg", "label": "cat"}}, ...]')
    for number, row in enumerate(rows):
        where = f"{path}[{number}]"
        if not isinstance(row, Mapping) or not set(FORMAT.needed) <= row.keys():
            raise DepthubError(f'{where} is {row!r:.80}; expected {{"path": "a.jpg", "label": "cat"}}, with "split" if the list is divided')
        yield where, row
