"""Skipped files of a folder, and messages for unfit ones."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from PIL import Image

from depthub.data.own.folder import Folder
from depthub.errors import DepthubError
from tests.picture_folders import write_folder


def test_hidden_files_and_files_of_systems_are_skipped(tmp_path: Path) -> None:
    root = write_folder(tmp_path, "train", "test")
    before = Folder(root).load()
    digest = Folder(root).digest()
    for place in (root, root / "train", root / "train/cat", root / "test/dog"):
        for name in (".ipynb_checkpoints", ".hidden", "@eaDir", "__MACOSX", "$RECYCLE.BIN", "lost+found", "System Volume Information"):
            (place / name).mkdir()
            shutil.copy(root / "train/dog/train0.png", place / name / "copy.png")
        for name in ("._train0.png", ".DS_Store", "Thumbs.db", "desktop.ini"):
            (place / name).write_bytes(b"\0\5\x16\7")
    after = Folder(root).load()
    assert (after.train.ids, after.test.ids, after.notes) == (before.train.ids, before.test.ids, ())
    assert Folder(root).digest() == digest


def test_other_skipped_files_are_noted(tmp_path: Path) -> None:
    root = write_folder(tmp_path, "train", "test")
    for name in ("train/cat/x.heic", "train/cat/deep/y.svg", "test/dog/notes.txt", "test/dog/no ending"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"something")
    shutil.copy(root / "train/cat/train0.png", root / "train/loose.png")
    (note,) = Folder(root).load().notes
    assert "5 files are not read: " in note
    assert str(tmp_path) not in note
    assert " and 2 more; " in note
    for name in ("train/cat/deep/y.svg", "test/dog/notes.txt", "test/dog/no ending", "train/loose.png"):
        (root / name).unlink()
    (note,) = Folder(root).load().notes
    assert note.startswith(f"folder:{tmp_path.name}: 1 file is not read: train/cat/x.heic; pictures lie in class folders and end in ")


def test_other_endings_are_read(tmp_path: Path) -> None:
    root = write_folder(tmp_path, "train", "test")
    Image.new("RGB", (8, 8)).save(root / "train/cat/a.jfif")
    Image.new("L", (8, 8)).save(root / "train/cat/B.PGM")
    data = Folder(root).load()
    assert {"train/cat/a.jfif", "train/cat/B.PGM"} < set(data.train.ids)
    assert data.notes == ()


def _picture_folder(root: Path) -> None:
    (root / "train/cat/x.jpg").mkdir()


def _nowhere(root: Path) -> None:
    (root / "train/cat/x.jpg").symlink_to(root / "gone.jpg")


def _circle(root: Path) -> None:
    (root / "test/dog/x.jpg").symlink_to("x.jpg")


def _loop(root: Path) -> None:
    (root / "train/cat/x").symlink_to(root / "train", target_is_directory=True)


def _two_loops(root: Path) -> None:
    (root / "train/cat/to-dog").symlink_to(root / "train/dog", target_is_directory=True)
    (root / "train/dog/to-cat").symlink_to(root / "train/cat", target_is_directory=True)


def _lost_class(root: Path) -> None:
    (root / "train/cow").symlink_to(root / "gone", target_is_directory=True)


def _pipe(root: Path) -> None:
    os.mkfifo(root / "train/cat/x.png")


def _latin(root: Path) -> None:
    shutil.copy(root / "train/cat/train0.png", os.fsencode(root / "train/cat") + b"/caf\xe9.png")


def _latin_class(root: Path) -> None:
    for part in ("train", "test"):
        shutil.copytree(root / part / "cat", os.fsdecode(os.fsencode(root / part) + b"/caf\xe9"))


def _control(root: Path) -> None:
    shutil.copy(root / "train/cat/train0.png", root / "train/cat/a\x1b[31m\nb.png")


def _broken(root: Path) -> None:
    (root / "test/dog/test2.png").write_bytes((root / "test/dog/test2.png").read_bytes()[:20])


def _eps(root: Path) -> None:
    Image.new("RGB", (9, 9)).save(root / "train/cat/x.eps")
    (root / "train/cat/x.eps").rename(root / "train/cat/x.png")


def _pointer(root: Path) -> None:
    (root / "train/cat/train1.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")


def _gzip(root: Path) -> None:
    (root / "train/cat/train1.png").write_bytes(gzip.compress((root / "train/cat/train0.png").read_bytes()))


def _float(root: Path) -> None:
    Image.new("F", (9, 9), 0.5).save(root / "train/cat/x.tif")


UNFIT: list[tuple[Callable[[Path], None], str]] = [
    (_picture_folder, r"train/cat/x\.jpg is a folder with the name of a picture; rename it"),
    (_nowhere, r"train/cat/x\.jpg: it is a link that leads nowhere; replace the file or move it"),
    (_circle, r"test/dog/x\.jpg: it is a link that leads in a circle; replace"),
    (_loop, r"train/cat/x is a link back to a folder above it; remove the link"),
    (_two_loops, r"/to-(cat|dog) is a link back to a folder above it; remove the link"),
    (_lost_class, r"train/cow is a link that leads nowhere: put back what it should lead to"),
    (_pipe, r"train/cat/x\.png: it is a named pipe; replace"),
    (_latin, r"train/cat holds 'caf\\udce9\.png', a name that is not UTF-8 or has control characters: rename it"),
    (_latin_class, r"(train|test) holds 'caf\\udce9', a name that is not UTF-8"),
    (_control, r"train/cat holds 'a\\x1b\[31m\\nb\.png', a name that is not UTF-8 or has control characters"),
    (_broken, r"cannot read image .*test/dog/test2\.png: "),
    (_eps, r"train/cat/x\.png: it is PostScript \(EPS\), which is not read; replace"),
    (_pointer, r"train/cat/train1\.png: it is a Git LFS pointer instead of the file \(`git lfs pull` gets the file\)"),
    (_gzip, r"train/cat/train1\.png: it is compressed with gzip"),
    (_float, r"train/cat/x\.tif: its pixels are 32-bit floating-point numbers"),
]


@pytest.mark.parametrize(("spoil", "says"), UNFIT, ids=lambda value: getattr(value, "__name__", ""))
def test_unfit_files_are_reported_when_the_folder_is_loaded(tmp_path: Path, spoil: Callable[[Path], None], says: str) -> None:
    root = write_folder(tmp_path, "train", "test")
    spoil(root)
    with pytest.raises(DepthubError, match=says) as caught:
        Folder(root).load()
    assert str(caught.value).isprintable()


@pytest.fixture
def nobody() -> Iterator[None]:
    """Without the rights of the administrator, to whom no folder is closed."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


def test_a_folder_that_may_not_be_read_is_named(nobody: None) -> None:
    with TemporaryDirectory() as place:
        root = write_folder(Path(place), "train", "test")
        for closed, says in ((root / "train/cat", "cannot read folder .*train/cat: Permission denied; allow"), (root, "Permission denied")):
            closed.chmod(0)
            try:
                with pytest.raises(DepthubError, match=says):
                    Folder(root).load()
            finally:
                closed.chmod(0o700)
        (root / "test/cat/test0.png").chmod(0)
        with pytest.raises(DepthubError, match=r"cannot read image .*test/cat/test0\.png: Permission denied"):
            Folder(root).load()


def test_links_to_folders_and_pictures_elsewhere_are_followed(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "real", "train", "test")
    linked = tmp_path / "linked"
    linked.mkdir()
    for part in ("train", "test"):
        (linked / part).mkdir()
        (linked / part / "cat").symlink_to(root / part / "cat", target_is_directory=True)
        (linked / part / "dog/deep").mkdir(parents=True)
        (linked / part / "dog/deep/more").symlink_to(root / part / "dog", target_is_directory=True)
    assert len(Folder(linked).load().train) == 6


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "pets.zip").write_bytes(b"PK")
    with pytest.raises(DepthubError, match=r"no folder .*pets\.zip, which is a file; expected train/<class>"):
        Folder(tmp_path / "pets.zip").load()


# Class names


SAME_WORDS = [("red_square", "red square"), ("Red", "red"), ("red  square", "red square"), ("caf\u00e9", "cafe\u0301"), ("a&amp;b", "a&b")]


@pytest.mark.parametrize(("one", "other"), SAME_WORDS)
def test_names_of_the_same_words_are_refused(tmp_path: Path, one: str, other: str) -> None:
    for name in (one, other, "green"):
        shutil.copytree(write_folder(tmp_path / f"_{name}", "x") / "x/cat", tmp_path / "data" / name)
    with pytest.raises(DepthubError, match=r"are the same words, .*; rename or merge one of them"):
        Folder(tmp_path / "data").load()


@pytest.mark.parametrize("name", ["_", "__ _", "\u200b"])
def test_names_without_words_are_refused(tmp_path: Path, name: str) -> None:
    for one in (name, "green"):
        shutil.copytree(write_folder(tmp_path / f"x{one}", "x") / "x/cat", tmp_path / "data" / one)
    with pytest.raises(DepthubError, match="has no words; give the class a name"):
        Folder(tmp_path / "data").load()


def test_class_names_need_not_be_ascii(tmp_path: Path) -> None:
    root = write_folder(tmp_path, "train", "test")
    for part in ("train", "test"):
        (root / part / "cat").rename(root / part / "Straße 雪\u202fx")
    assert Folder(root).load().classes.names == ("Straße 雪\u202fx", "dog")
