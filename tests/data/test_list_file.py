"""Pictures in a list: `list:FILE.csv` and `list:FILE.json`."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from depthub.data.own.by_name import own_data_set
from depthub.data.own.folder import Folder
from depthub.data.own.list_file import ListedPictures
from depthub.errors import DepthubError

Rows = Sequence[tuple[str, ...]]
NAMES = [(f"images/{name}{i}.png", name) for name in ("red, light", "blue") for i in range(4)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Four pictures of each of two classes, in one folder."""
    (tmp_path / "images").mkdir()
    for number, (path, label) in enumerate(NAMES):
        Image.new("RGB", (8, 8), (200 if "red" in label else 0, 20 * number, 100)).save(tmp_path / path)
    return tmp_path


def write_csv(place: Path, rows: Rows, header: Sequence[str] = ("path", "label")) -> Path:
    with (place / "list.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return place / "list.csv"


def write_json(place: Path, rows: Rows, header: Sequence[str] = ("path", "label")) -> Path:
    (place / "list.json").write_text(json.dumps([dict(zip(header, row, strict=True)) for row in rows]))
    return place / "list.json"


@pytest.mark.parametrize("write", [write_csv, write_json])
def test_a_list_is_divided(place: Path, write: type) -> None:
    data = ListedPictures(write(place, NAMES), 0.25).load()
    assert data.classes.names == ("blue", "red, light")
    assert (len(data.train), len(data.test), data.val, data.notes) == (6, 2, None, ())
    assert set(data.train.ids) | set(data.test.ids) == {path for path, _ in NAMES}
    assert [data.classes.names[label] in name for name, label in zip(data.train.ids, data.train.labels, strict=True)] == [True] * 6
    assert data.train.read(data.train.ids[0]).size == (8, 8)
    assert ListedPictures(write(place, NAMES[::-1]), 0.25).load().test.ids == data.test.ids


@pytest.mark.parametrize("write", [write_csv, write_json])
@pytest.mark.parametrize(("word", "parts"), [("test", (4, 4, 0)), ("Validation", (4, 4, 0)), (("val", "test"), (4, 2, 2))])
def test_a_list_may_divide_the_pictures(place: Path, write: type, word: str | tuple[str, str], parts: tuple[int, int, int]) -> None:
    words = ("Train", "train", *([word] * 2 if isinstance(word, str) else word))
    rows = [(*row, words[i % 4]) for i, row in enumerate(NAMES)]
    data = ListedPictures(write(place, rows, ("path", "label", "split"))).load()
    assert (len(data.train), len(data.test), len(data.val or ())) == parts
    assert data.train.ids == tuple(sorted(path for path, label, word in rows if word.lower() == "train" and label == "blue")) + tuple(
        sorted(path for path, label, word in rows if word.lower() == "train" and label != "blue")
    )
    assert [note.split(": ")[1] for note in data.notes] == (["there is no test part"] if word == "Validation" else [])


def test_other_columns_another_order_and_a_byte_order_mark_do_no_harm(place: Path) -> None:
    text = "\ufefflabel, path ,width\r\n" + "".join(f'"{label}","{path}",8\r\n' for path, label in NAMES) + "\r\n"
    (place / "list.csv").write_bytes(text.encode())
    assert len(ListedPictures(place / "list.csv").load().train) == 4


COLUMNS = "; expected the columns path and label, separated by commas, and split (train, val or test) if the list divides the pictures"
ONE, OTHER = "images/blue0.png", "images/blue1.png"
MORE = "images/blue2.png,{}\nimages/blue3.png,{}\n"
BAD_CSV: dict[str, tuple[str, str]] = {
    "no columns": (f"{ONE},blue\n", f"has the columns {ONE}, blue{COLUMNS}"),
    "semicolons": (f"path;label\n{ONE};blue\n", f"has the columns path;label{COLUMNS}"),
    "near": ("Paths,label\n", f"has the columns Paths, label{COLUMNS}; did you mean 'Paths'?"),
    "twice": ("path,label,label\n", "has the column label more than once"),
    "fields": (f"path,label\n{ONE},blue,green\n", "list.csv, line 2 has 3 fields instead of 2; put a field with a comma in quotation"),
    "quotes": (f'path,label\n"{ONE},blue\n', "is not CSV: "),
    "label": (f"path,label\n{ONE}, \n", "line 2: label is ' ', expected the name of a class, in one line"),
    "break": (f'path,label\n{ONE},"a\nb"\n', r"label is 'a\nb', expected the name of a class, in one line"),
    "split": (f"path,label,split\n{ONE},blue,tset\n{OTHER},red,train\n", "line 2: split is 'tset', expected train, val or test"),
    "half": (f"path,label,split\n{ONE},blue,test\n{OTHER},red,\n", "line 3: split is '', expected train, val or test"),
    "train": (f"path,label,split\n{ONE},blue,train\n{OTHER},red,train\n", "has train only, and nothing to test on; name"),
    "one": (f"path,label\n{ONE},blue\n{OTHER},blue\n", "lists 1 classes; expected at least 2"),
    "nothing": ("path,label\n", "lists 0 classes; expected at least 2"),
    "empty": ("", "is empty; expected the columns path and label"),
    "again": (f"path,label\n{ONE},blue\n{ONE},red\n", f"line 3: {ONE} is listed before, "),
    "absolute": ("path,label\n/etc/x.png,blue\n", "line 2: path '/etc/x.png': paths must be relative, with / between names"),
    "above": ("path,label\n../x.png,blue\n", "path '../x.png': paths must be relative"),
    "here": ("path,label\n./x.png,blue\n", "path './x.png': paths must be relative"),
    "doubled": ("path,label\nimages//x.png,blue\n", "path 'images//x.png': paths must be relative"),
    "windows": ("path,label\nimages\\x.png,blue\n", r"path 'images\\x.png': paths must be relative"),
    "drive": ("path,label\nC:/x.png,blue\n", "path 'C:/x.png': paths must be relative"),
    "none": ("path,label\n,blue\n", "path '': paths must be relative"),
    "missing": (f"path,label\nimages/x.png,blue\n{OTHER},red\n", "images/x.png: there is no such file (1 of 2 like it); correct the list"),
    "case": (f"path,label\nimages/Blue0.png,blue\n{OTHER},red\n", "images/Blue0.png: the name on disk is images/blue0.png (1 of 2"),
    "folder": (f"path,label\nimages,blue\n{OTHER},red\n", "images: it is a folder (1 of 2 like it)"),
    "same words": (f"path,label\n{ONE},Blue\n{OTHER},blue\n{MORE.format('Blue', 'blue')}", "are the same words"),
    "no words": (f"path,label\n{ONE},_\n{OTHER},blue\n{MORE.format('_', 'blue')}", "has no words"),
    "few": (f"path,label\n{ONE},red\n{OTHER},blue\n", "has 1 picture(s), too few to hold out 1 for testing and keep one; add"),
}


@pytest.mark.parametrize("what", BAD_CSV)
def test_a_bad_list_is_reported_in_one_line(place: Path, what: str) -> None:
    content, says = BAD_CSV[what]
    (place / "list.csv").write_text(content)
    with pytest.raises(DepthubError) as caught:
        ListedPictures(place / "list.csv").load()
    assert says in str(caught.value)
    assert "list.csv" in str(caught.value)
    assert str(caught.value).isprintable()


BAD_JSON: dict[str, tuple[bytes, str]] = {
    "cut": (b'[{"path": "a', "is not JSON: "),
    "object": (b'{"path": "a"}', 'holds no list; expected [{"path": "a.jpg", "label": "cat"}, ...]'),
    "pair": (b'[["a.jpg", "cat"]]', "list.json[0] is ['a.jpg', 'cat']; expected {"),
    "key": (b'[{"path": "a.jpg"}]', "list.json[0] is {'path': 'a.jpg'}; expected {"),
    "number": (b'[{"path": "images/blue0.png", "label": 3}]', "list.json[0]: label is 3, expected a text in quotation marks"),
    "deep": (b"[" * 100_000, "is not JSON: "),
    "surrogate": (b'[{"path": "a\\ud800.png", "label": "cat"}, {"path": "b.png", "label": "dog"}]', r"path 'a\ud800.png': paths must"),
    "gzip": (gzip.compress(b"[]"), "is compressed with gzip (unpack it); expected the columns path and label"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a Git LFS pointer instead of the file"),
    "latin": (b'[{"path": "caf\xe9.jpg"}]', "is not UTF-8 (invalid continuation byte at byte 14); save it as UTF-8"),
}


@pytest.mark.parametrize("what", BAD_JSON)
def test_bad_json_is_reported_in_one_line(place: Path, what: str) -> None:
    content, says = BAD_JSON[what]
    (place / "list.json").write_bytes(content)
    with pytest.raises(DepthubError) as caught:
        ListedPictures(place / "list.json").load()
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_files_that_are_not_lists_are_refused(place: Path) -> None:
    with pytest.raises(DepthubError, match=r"list .*x\.txt ends in '\.txt', expected \.csv or \.json"):
        ListedPictures(place / "x.txt").load()
    with pytest.raises(DepthubError, match=r"cannot read list .*x\.csv: No such file"):
        ListedPictures(place / "x.csv").load()
    (place / "x.csv").mkdir()
    with pytest.raises(DepthubError, match=r"cannot read list .*x\.csv: Is a directory"):
        ListedPictures(place / "x.csv").load()


def test_a_broken_picture_is_named_with_a_remedy(place: Path) -> None:
    path = write_csv(place, NAMES)
    (place / NAMES[0][0]).write_bytes(b"not a picture" * 200)
    with pytest.raises(DepthubError, match=r"red, light0\.png: it is not a picture .*; replace the file or remove it from the list"):
        ListedPictures(path).load()


def test_the_digest_is_of_names_labels_contents_and_division(place: Path) -> None:
    first = ListedPictures(write_csv(place, NAMES)).digest()
    assert ListedPictures(write_json(place, NAMES[::-1])).digest() == first
    assert ListedPictures(write_csv(place, NAMES), 0.25).digest() != first
    assert ListedPictures(write_csv(place, [(path, label + "s") for path, label in NAMES])).digest() != first
    one, other = (place / NAMES[row][0] for row in (0, -1))
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)
    assert ListedPictures(write_csv(place, NAMES)).digest() != first


def test_transparent_pictures_are_noted_or_laid_on_the_background(place: Path) -> None:
    path = write_csv(place, NAMES)
    Image.new("RGBA", (8, 8), (0, 200, 0, 0)).save(place / NAMES[0][0])
    (note,) = ListedPictures(path).load().notes
    assert note.startswith("list:list.csv: 1 picture has transparent parts")
    data = ListedPictures(path, background="white").load()
    assert data.notes == ()
    assert data.train.read(NAMES[0][0]).getpixel((0, 0)) == (255, 255, 255)


def test_names_with_a_path(place: Path) -> None:
    folder, listed = own_data_set("folder:/a/pets", 0.3, "white"), own_data_set(f"list:{write_csv(place, NAMES)}", 0.25)
    assert isinstance(folder, Folder)
    assert (folder.path, folder.share, folder.read.background) == (Path("/a/pets"), 0.3, "white")
    assert isinstance(listed, ListedPictures)
    assert len(listed.load().test) == 2
    assert own_data_set("dtd") is None
    for name in ("folder:", "list:"):
        with pytest.raises(DepthubError, match=f"data set '{name}' has no path; expected {name}PATH"):
            own_data_set(name)
