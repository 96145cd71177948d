"""`depthub data check` of a user's own pictures: all are decoded, and all broken ones reported."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from depthub.data.own.check import LAYOUT, check_own
from depthub.data.own.folder import Folder
from tests.picture_folders import write_folder


def test_a_folder_of_ones_own_is_decoded_and_all_broken_pictures_are_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path, "train", "test", each=2)
    progress: list[tuple[int, int]] = []
    assert check_own(Folder(root)).good
    (root / "train/cat/train0.png").write_bytes((root / "train/cat/train0.png").read_bytes()[:120])  # a header, and too few pixels
    (root / "test/dog/test1.png").write_text("<html>")
    Image.new("RGBA", (9, 9)).save(root / "train/cat/2.png")
    (root / "train/cat/x.heic").write_bytes(b"x")
    report = check_own(Folder(root), lambda done, total: progress.append((done, total)))
    assert not report.good
    assert {fault.files: (fault.severity, fault.what.partition(":")[0], fault.remedy) for fault in report.faults} == {
        ("train/cat/train0.png",): ("fault", "cannot be decoded", "replace the file or move it out of the data set's folder"),
        ("test/dog/test1.png",): ("fault", "cannot be decoded", "replace the file or move it out of the data set's folder"),
        ("train/cat/2.png",): ("warning", "in mode RGBA", "nothing to do: it is read as RGB"),
    }
    assert progress == [(i, 9) for i in range(1, 10)]
    assert "train/cat/x.heic" in report.outcome(LAYOUT)
