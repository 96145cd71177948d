"""Your own pictures, named in a list: `list:FILE.csv` or `list:FILE.json`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from depthub.data.listing import PLAIN_PATHS, Listing, clean, strange
from depthub.data.own.division import Division, divided, named, part_of, require_parts
from depthub.data.own.naming import LABELS, Naming
from depthub.data.own.own_pictures import OwnPictures
from depthub.data.parts import Part
from depthub.data.reader import FolderReader
from depthub.data.tables import Form
from depthub.errors import DepthubError

SPLIT = "split"
FORM = Form(
    "list",
    "expected the columns path and label, separated by commas, and split (train, val or test) if the list says what is for testing",
    ("path", "label"),
    (SPLIT,),
)


class Entry(NamedTuple):
    """One picture of a list: its path, its class's name, its part (empty: the list has none), and where it stands."""

    path: str
    label: str
    split: str
    where: str


class ListedPictures(OwnPictures):
    """Pictures that a file lists: CSV with a first line of column names, or JSON with a list of objects of the same keys.

    `path` is relative to the list's folder, with `/` between names; `label` is the class's name; `split`, if it is there, is train, val
    or test. Other columns do not count. Without `split` a share of each class is held out for testing.

    Args:
        path: the list; its name ends in .csv or .json.
        test_fraction: that share, in (0, 1).
        background: colour that transparent parts are laid on, as Pillow names colours; empty: they show whatever colour lies beneath.
        naming: of the labels.
        whole: without `split` all pictures are for testing, and none is held back.

    Raises:
        DepthubError: if there is no such colour.
    """

    def __init__(
        self, path: Path, test_fraction: float = 0.5, background: str = "", naming: Naming = LABELS, *, whole: bool = False
    ) -> None:
        read = FolderReader(path.parent, background=background, remedy="replace the file or remove it from the list")
        super().__init__(f"list:{path}", f"list:{path.name}", read, naming, None if whole else test_fraction)
        self.path = path

    def arranged(self) -> Division:
        entries = list(_entries(self.path))
        self._require_pictures(entries)
        if not any(entry.split for entry in entries):
            return divided(_by_class(entries), self.share, str(self.path))
        by_part = defaultdict[Part, list[Entry]](list)
        for entry in entries:
            part = part_of(entry.split)
            if part is None:
                raise DepthubError(f"{entry.where}: split is {entry.split!r}, expected train, val or test")
            by_part[part].append(entry)
        remedy = "name pictures for testing with test or val, or leave the column split out"
        require_parts(by_part, str(self.path), remedy, trained=self.share is not None)
        return named({part: _by_class(own) for part, own in by_part.items()}, str(self.path))

    def _require_pictures(self, entries: list[Entry]) -> None:
        """Refuse paths that are not plain, twice there, or without a picture."""
        first = dict[str, Entry]()
        for entry in entries:
            if strange(entry.path) or not clean(entry.path):
                raise DepthubError(f"{entry.where}: path {entry.path!r}: {PLAIN_PATHS}, from the folder of the list")
            if entry.path in first:
                raise DepthubError(f"{entry.where}: {entry.path} is listed before, {first[entry.path].where}; list each picture once")
            first[entry.path] = entry
        found = Listing(self.path.parent).presence(first)
        lost = dict.fromkeys(found.missing, "there is no such file") | dict.fromkeys(found.empty, "the file is empty")
        lost |= {path: f"the file is spelt {spelt}" for path, spelt in found.misspelt.items()}
        lost |= {path: f"it is {what}" for path, what in found.unfit.items()}
        for path in first:
            if path in lost:
                place = self.path.parent / path
                raise DepthubError(f"{first[path].where}: {place}: {lost[path]} ({len(lost)} of {len(first)} like it); correct the list")
        if len({entry.label for entry in entries}) < 2:
            raise DepthubError(f"{self.path} lists {len({entry.label for entry in entries})} classes; expected at least 2")


def _by_class(entries: list[Entry]) -> dict[str, list[str]]:
    found = defaultdict[str, list[str]](list)
    for entry in entries:
        found[entry.label].append(entry.path)
    return {label: sorted(paths) for label, paths in found.items()}


def _entries(path: Path) -> Iterator[Entry]:
    """What a list holds, checked row by row.

    Raises:
        DepthubError: naming the list and the row.
    """
    rows = FORM.csv_rows(path) if FORM.require_suffix(path) == ".csv" else _json_rows(path)
    for where, row in rows:
        values = [row[key] for key in FORM.needed] + [row.get(SPLIT) or ""]
        for key, value in zip((*FORM.needed, SPLIT), values, strict=True):
            if not isinstance(value, str):
                raise DepthubError(f"{where}: {key} is {value!r:.80}, expected a text in quotation marks")
        image, label, split = values
        if not label.strip() or not clean(label):
            raise DepthubError(f"{where}: label is {label!r:.80}, expected the name of a class, in one line")
        yield Entry(image, label.strip(), split.strip(), where)


def _json_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    rows = FORM.json(path)
    if not isinstance(rows, list):
        raise DepthubError(f'list {path} holds no list; expected [{{"path": "a.jpg", "label": "cat"}}, ...]')
    for number, row in enumerate(rows):
        where = f"{path}[{number}]"
        if not isinstance(row, Mapping) or not set(FORM.needed) <= row.keys():
            raise DepthubError(f'{where} is {row!r:.80}; expected {{"path": "a.jpg", "label": "cat"}}, with "split" if the list is divided')
        yield where, row
