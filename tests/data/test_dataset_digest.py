"""The digest of a plugin's data set without a digest of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from depthub import ClassSet, Data, DataSet, Examples
from depthub.data.dataset import contents, fingerprints
from depthub.data.reader import FolderReader
from depthub.errors import DepthubError
from depthub.registry.plugins import installed

CLASSES = ClassSet("colours", (0, 1), ("red", "green"))


@dataclass(frozen=True)
class Paint:
    """Pictures of one colour, by their ids; without fingerprints."""

    colours: tuple[str, ...] = ("red", "green", "darkred", "lime")

    def __call__(self, name: str) -> Image.Image:
        return Image.new("RGB", (5, 4), self.colours[int(name)])


class Colours(DataSet):
    """Two training and two test images."""

    name = "colours"

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def load(self, root: Path | None = None) -> Data:
        reader = self.changes.get("read", Paint())
        train, test = Examples(("0", "1"), (0, 1), reader), Examples(("2", "3"), (0, 1), reader)
        data = Data(CLASSES, train, test)
        return replace(data, **{key: value for key, value in self.changes.items() if key != "read"})


CHANGES: Mapping[str, dict[str, Any]] = {
    "a picture": {"read": Paint(("red", "green", "darkred", "blue"))},
    "two pictures exchanged": {"read": Paint(("green", "red", "darkred", "lime"))},
    "a name": {"classes": ClassSet("colours", (0, 1), ("red", "lime"))},
    "a template": {"classes": replace(CLASSES, template="the colour {}.")},
    "an image more": {"test": Examples(("2", "3", "0"), (0, 1, 0), Paint())},
    "a label": {"test": Examples(("2", "3"), (0, 0), Paint())},
    "validation images": {"val": Examples(("2", "3"), (0, 1), Paint())},
    "a larger picture": {"read": lambda name: Image.new("RGB", (5, 5), "red")},
    "gray": {"read": lambda name: Image.new("L", (5, 4))},
}


def test_equal_contents_have_equal_digests() -> None:
    assert len(Colours().digest()) == 64
    assert Colours().digest() == Colours().digest()


@pytest.mark.parametrize("what", CHANGES)
def test_other_contents_have_other_digests(what: str) -> None:
    assert Colours(**CHANGES[what]).digest() != Colours().digest()


def test_all_changes_have_different_digests() -> None:
    assert len({Colours(**change).digest() for change in CHANGES.values()}) == len(CHANGES)


def test_readers_of_files_are_not_asked_for_pixels(tmp_path: Path) -> None:
    for name in "0123":
        (tmp_path / name).write_bytes(name.encode())  # not pictures: decoding them would fail
    data_set = Colours(read=FolderReader(tmp_path))
    before = data_set.digest()
    (tmp_path / "3").write_bytes(b"4")
    assert data_set.digest() != before


class OneByOne:
    """A reader that takes one fingerprint at a time."""

    def __call__(self, name: str) -> Image.Image:
        raise NotImplementedError

    def fingerprint(self, name: str) -> str:
        return f"the {name}th"


def test_fingerprints_one_by_one_and_many(tmp_path: Path) -> None:
    examples = Examples(("b", "a"), (0, 1), OneByOne())
    assert fingerprints(examples) == ["the bth", "the ath"]
    assert contents(examples) == contents(replace(examples, ids=("a", "b"))) != ""
    assert fingerprints(replace(examples, read=Paint())) is None
    assert contents(replace(examples, read=Paint())) == ""
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    reader = FolderReader(tmp_path)
    assert fingerprints(replace(examples, read=reader)) == [reader.fingerprint("b"), reader.fingerprint("a")]


@pytest.mark.parametrize(
    ("data_set", "says"),
    [
        (Colours(read=lambda name: None), "the reader of image '0' gives NoneType, expected a picture"),
        (type("Nothing", (Colours,), {"load": lambda self, root=None: None})(), r"data set 'colours': load\(\) gives NoneType, expected"),
    ],
)
def test_other_things_than_data_are_reported(data_set: DataSet, says: str) -> None:
    with pytest.raises(DepthubError, match=says):
        data_set.digest()


@pytest.mark.parametrize("name", ["tones", "compose", "digits"])
def test_rendered_data_sets_have_none(name: str) -> None:
    digest: Callable[[], str] = installed().get("datasets", name).digest
    assert digest() == ""
