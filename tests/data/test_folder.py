"""A folder of pictures as a data set: parts, contents, transparency, and messages for mistakes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from depthub.data.own.folder import Folder
from depthub.errors import DepthubError
from tests.models import write_pictures
from tests.picture_folders import write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "pictures")
    return tmp_path / "pictures"


def test_train_and_test_folders(folder: Path) -> None:
    (folder / "train/red/notes.txt").write_text("not a picture")
    (folder / "train/red/.hidden").mkdir()
    data = Folder(folder).load()
    assert data.classes.names == ("blue", "gray", "green", "red", "yellow")
    assert (len(data.train), len(data.test)) == (30, 25)
    assert data.train.ids[0] == "train/blue/0.png"
    assert data.train.labels == tuple(label for label in range(5) for _ in range(6))
    assert data.train.read(data.train.ids[0]).mode == "RGB"


def test_one_folder_is_divided_by_the_file_names_alone(folder: Path) -> None:
    one = Folder(folder / "train", 0.34).load()
    assert (len(one.train), len(one.test)) == (5 * 4, 5 * 2)
    assert not set(one.train.ids) & set(one.test.ids)
    assert Folder(folder / "train", 0.34).load().test.ids == one.test.ids
    shutil.copytree(folder / "train", folder.parent / "copy")
    assert Folder(folder.parent / "copy", 0.34).load().test.ids == one.test.ids


@pytest.mark.parametrize("mode", ["P", "L", "RGBA", "CMYK"])
def test_every_picture_is_read_as_rgb(folder: Path, mode: str) -> None:
    suffix = "tif" if mode == "CMYK" else "png"
    Image.new(mode, (9, 7)).save(folder / f"train/red/odd.{suffix}")
    picture = Folder(folder).load().train.read(f"train/red/odd.{suffix}")
    assert (picture.mode, picture.size) == ("RGB", (9, 7))


def test_an_unreadable_picture_is_named(folder: Path) -> None:
    data = Folder(folder).load()
    for content in (b"<html>not found</html>", b"", (folder / "train/red/1.png").read_bytes()[:200]):
        (folder / "train/red/0.png").write_bytes(content)
        with pytest.raises(DepthubError, match=r"cannot read image .*train/red/0\.png"):
            data.train.read("train/red/0.png")


def test_the_digest_sees_other_pictures(folder: Path) -> None:
    before = Folder(folder).digest()
    Image.new("RGB", (5, 5)).save(folder / "train/red/0.png")
    assert Folder(folder).digest() != before


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match=r"no folder .*pets; expected train/<class>"):
        Folder(tmp_path / "pets").load()


def test_a_folder_without_class_folders(tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match="holds 0 class folders; expected at least 2"):
        Folder(tmp_path).load()


def test_class_folders_without_images_are_all_named(folder: Path) -> None:
    for name in ("red", "blue"):
        shutil.rmtree(folder / "train" / name)
        (folder / "train" / name).mkdir()
    with pytest.raises(DepthubError, match=r"class folders without images in .*: blue, red; add pictures"):
        Folder(folder).load()


def test_train_and_test_must_hold_the_same_classes(folder: Path) -> None:
    shutil.rmtree(folder / "test/red")
    with pytest.raises(DepthubError, match="the same classes; red is in one of them only"):
        Folder(folder).load()


def test_too_few_pictures_to_divide(folder: Path) -> None:
    for i in range(1, 6):
        (folder / f"train/red/{i}.png").unlink()
    with pytest.raises(DepthubError, match=r"class 'red' has 1 picture\(s\), too few to hold out 1"):
        Folder(folder / "train").load()
    with pytest.raises(DepthubError, match=r"test_fraction is 1.5; expected a share between 0 and 1"):
        Folder(folder / "train", 1.5).load()


# How the folders are named


@pytest.mark.parametrize("parts", [("train", "test"), ("Train", "TEST"), ("training", "testing")])
def test_parts_are_found_in_any_case(tmp_path: Path, parts: tuple[str, str]) -> None:
    data = Folder(write_folder(tmp_path, *parts)).load()
    assert data.classes.names == ("cat", "dog")
    assert data.train.ids[0] == f"{parts[0]}/cat/{parts[0]}0.png"
    assert (len(data.train), len(data.test), data.val, data.notes) == (6, 6, None, ())


@pytest.mark.parametrize("part", ["val", "valid", "validation", "Val", "VALID"])
def test_validation_pictures_are_the_test_set_where_there_is_no_other(tmp_path: Path, part: str) -> None:
    data = Folder(write_folder(tmp_path, "train", part)).load()
    assert data.classes.names == ("cat", "dog")
    assert {name.split("/")[0] for name in data.test.ids} == {part}
    (note,) = data.notes
    assert note == f"folder:{tmp_path.name}: there is no test part: the validation pictures are the test set"


def test_train_val_and_test(tmp_path: Path) -> None:
    data = Folder(write_folder(tmp_path, "train", "val", "test")).load()
    assert data.val is not None
    assert [{name.split("/")[0] for name in part.ids} for part in (data.train, data.val, data.test)] == [{"train"}, {"val"}, {"test"}]
    assert data.val.labels == (0, 0, 0, 1, 1, 1)
    assert data.notes == ()


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (("train",), "has train only, and nothing to test on; put a folder test or val beside it, or give folder:{}/train, which"),
        (("val", "test"), "has test and val, but no train; call the part with the training pictures train"),
        (("test",), "has test, but no train"),
        (("train", "Train", "test"), "holds Train and train, the same part twice; rename or merge"),
        (("train", "val", "valid"), "holds val and valid, the same part twice"),
    ],
)
def test_missing_and_repeated_parts_are_refused(tmp_path: Path, parts: tuple[str, ...], says: str) -> None:
    with pytest.raises(DepthubError) as caught:
        Folder(write_folder(tmp_path, *parts)).load()
    assert says.format(tmp_path) in str(caught.value)


def test_the_remedy_for_train_alone_works(tmp_path: Path) -> None:
    assert len(Folder(write_folder(tmp_path, "train") / "train").load().classes) == 2


def test_classes_beside_parts(tmp_path: Path) -> None:
    root = write_folder(tmp_path, "train")
    shutil.copytree(root / "train/cat", root / "cat")
    with pytest.raises(DepthubError, match="holds train beside cat; expected train/<class>/"):
        Folder(root).load()
    shutil.copytree(root / "train", root / "test")
    note, _ = Folder(root).load().notes  # the other note: the test pictures are copies
    assert note == f"folder:{tmp_path.name}: folders beside the parts are not read: cat"


def test_trains_may_be_a_class_beside_others(tmp_path: Path) -> None:
    for name in ("train", "car", "bus"):
        shutil.copytree(write_folder(tmp_path / name, "x") / "x/cat", tmp_path / "data" / name)
    assert Folder(tmp_path / "data").load().classes.names == ("bus", "car", "train")


def test_parts_without_class_folders_are_not_classes(tmp_path: Path) -> None:
    for part in ("train", "val"):
        shutil.copytree(write_folder(tmp_path / part, "x") / "x/cat", tmp_path / "data" / part)
    with pytest.raises(DepthubError, match=r"train holds 0 class folders; expected at least 2"):
        Folder(tmp_path / "data").load()


def test_the_validation_pictures_must_be_of_the_same_classes(tmp_path: Path) -> None:
    shutil.rmtree(write_folder(tmp_path, "train", "val", "test") / "val/dog")
    (tmp_path / "val/cow").mkdir()
    shutil.copy(tmp_path / "val/cat/val0.png", tmp_path / "val/cow")
    with pytest.raises(DepthubError, match="train and val must hold the same classes; cow, dog is in one of them only"):
        Folder(tmp_path).load()


# Contents


def _exchange(root: Path) -> None:
    one, other = root / "train/cat/train0.png", root / "train/dog/train0.png"
    a, b = one.read_bytes(), other.read_bytes()
    assert len(a) == len(b)
    one.write_bytes(b)
    other.write_bytes(a)


def _replace(root: Path) -> None:
    path = root / "test/cat/test1.png"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _move_to_the_other_part(root: Path) -> None:
    (root / "train/cat/train0.png").rename(root / "test/cat/train0.png")
    (root / "test/cat/test0.png").rename(root / "train/cat/test0.png")


@pytest.mark.parametrize("change", [_exchange, _replace, _move_to_the_other_part])
@pytest.mark.parametrize("age", [0, 100], ids=["new", "old"])
def test_other_contents_are_another_digest(tmp_path: Path, change: Callable[[Path], None], age: int) -> None:
    root = write_folder(tmp_path, "train", "test")
    paths = sorted(root.rglob("*.png"))
    then = time.time_ns() - age * 10**9
    for path in paths:
        os.utime(path, ns=(then, then))
    before = Folder(root).digest()
    change(root)
    for path in root.rglob("*.png"):
        os.utime(path, ns=(then, then))
    assert Folder(root).digest() != before


def test_the_digest_does_not_depend_on_place_or_times(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "one", "train", "test")
    shutil.copytree(root, tmp_path / "other")
    digests = {Folder(root).digest(), Folder(tmp_path / "other").digest()}
    for path in root.rglob("*.png"):
        os.utime(path, (1, 1))
    assert digests == {Folder(root).digest()}
    assert Folder(root / "train").digest() not in digests


def test_a_part_is_in_the_digest(tmp_path: Path) -> None:
    root = write_folder(tmp_path, "train", "test", "val")
    before = Folder(root).digest()
    Image.new("RGB", (8, 8), "red").save(root / "val/cat/val0.png")
    assert Folder(root).digest() != before
    assert Folder(root / "train", 0.3).digest() != Folder(root / "train", 0.7).digest()


def test_fingerprints_are_by_content_and_without_places(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "one", "train", "test")
    shutil.copytree(root, tmp_path / "other")
    one, other = Folder(root).load(), Folder(tmp_path / "other").load()
    prints = [one.train.read.fingerprint(name) for name in one.train.ids]  # type: ignore[attr-defined]
    assert prints == [other.train.read.fingerprint(name) for name in other.train.ids]  # type: ignore[attr-defined]
    assert len(set(prints)) == len(prints)
    assert not any(str(tmp_path) in fingerprint for fingerprint in prints)
    white = Folder(root, background="white").load().train.read
    name = one.train.ids[0]
    readers = (one.train.read, white, white.at_least(32))  # type: ignore[attr-defined]
    assert len({reader.fingerprint(name) for reader in readers}) == 3
    same = Folder(root, background="#ffffff").load().train.read
    assert same.fingerprint(name) == white.fingerprint(name)  # type: ignore[attr-defined]


# Transparency


def test_transparent_pictures_are_noted_or_laid_on_the_background(tmp_path: Path) -> None:
    root = write_folder(tmp_path, "train", "test")
    picture = Image.new("RGBA", (8, 8), (0, 200, 0, 0))
    picture.save(root / "train/cat/z.png")
    picture.save(root / "test/dog/z.png", compress_level=0)  # another file
    data = Folder(root).load()
    assert data.train.read("train/cat/z.png").getpixel((0, 0)) == (0, 200, 0)
    (note,) = data.notes
    start = f"folder:{tmp_path.name}: 2 pictures have transparent parts (an alpha channel or a transparent colour), the first "
    assert note == f"{start}train/cat/z.png; what lies beneath is shown; --background white lays them on white"
    laid = Folder(root, background="white").load()
    assert laid.notes == ()
    assert laid.train.read("train/cat/z.png").getpixel((0, 0)) == (255, 255, 255)


def test_an_unknown_colour_is_reported_first(tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match="background is 'wihte', expected a colour such as white or #ff8000; did you mean 'white'"):
        Folder(tmp_path / "nowhere", background="wihte")
