"""Pictures on disk as a data set, and what is said when they are not as they should be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from depthub.data.folder import Folder
from depthub.errors import DepthubError
from tests.models import write_pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "pictures")
    return tmp_path / "pictures"


def test_train_and_test_folders(folder: Path) -> None:
    (folder / "train/red/notes.txt").write_text("no picture")
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
