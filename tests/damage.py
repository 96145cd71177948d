"""Damage to the data sets of `miniature`: each function takes the data root and damages one data set below it."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

from tests.miniature import card, picture, rows, write_split

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 9\n"


def sketch_not_renamed(root: Path) -> None:
    """The archive of ImageNet-Sketch as it unpacks."""
    (root / "imagenet-sketch/images").rename(root / "imagenet-sketch/sketch")


def web_page_as_split(root: Path) -> None:
    """A download that was refused."""
    (root / "dtd" / card("dtd").split_file).write_text("<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>\n")


def truncated_split(root: Path) -> None:
    """A download that broke off."""
    path = root / "eurosat" / card("eurosat").split_file
    path.write_bytes(path.read_bytes()[:700])


def no_split(root: Path) -> None:
    """The split file is not there."""
    (root / "food-101" / card("food101").split_file).unlink()


def self_made_split(root: Path) -> None:
    """Another division with the right counts, as other code writes it where it finds none."""
    listed = rows("dtd")
    listed["train"][0], listed["test"][0] = listed["test"][0], listed["train"][0]
    write_split(root / "dtd" / card("dtd").split_file, listed)


def same_content_other_bytes(root: Path) -> None:
    """The official split, written by another program."""
    (root / "dtd" / card("dtd").split_file).write_text(json.dumps(rows("dtd")))


def labels_with_gap(root: Path) -> None:
    """No class has label 1."""
    _relabel(root, "ucf101", lambda path, label, name: (path, label + (label > 0), name))


def two_names_for_a_label(root: Path) -> None:
    """The first class has two names."""
    _relabel(root, "ucf101", lambda path, label, name: (path, label, "Brush" if path.endswith("1.jpg") else name))


def image_in_train_and_test(root: Path) -> None:
    """A training image is also a test image."""
    listed = rows("caltech101")
    listed["test"].append(listed["train"][0])
    write_split(root / "caltech-101" / card("caltech101").split_file, listed)


def image_twice(root: Path) -> None:
    """A training image is listed twice."""
    listed = rows("caltech101")
    listed["train"].append(listed["train"][0])
    write_split(root / "caltech-101" / card("caltech101").split_file, listed)


def missing_images(root: Path) -> None:
    """An archive that was unpacked in part."""
    for path in (root / "sun397/SUN397/a/abbey").iterdir():
        path.unlink()


def empty_image(root: Path) -> None:
    """A file without content."""
    (root / "stanford_cars" / rows("stanford_cars")["test"][0][0]).write_bytes(b"")


def link_to_nowhere(root: Path) -> None:
    """A link to an image that has been moved."""
    path = root / "dtd/images" / rows("dtd")["test"][0][0]
    path.unlink()
    path.symlink_to(root / "moved.jpg")


def folder_link_to_nowhere(root: Path) -> None:
    """A link to a folder of images that has been moved."""
    (root / "dtd/images").rename(root / "dtd/moved")
    (root / "dtd/images").symlink_to(root / "gone", target_is_directory=True)


def other_case_of_split(root: Path) -> None:
    """The split file in other letter case."""
    path = root / "dtd" / card("dtd").split_file
    path.rename(path.with_name(path.name.lower()))


def no_test_images(root: Path) -> None:
    """A list of the official archive without content."""
    (root / "fgvc_aircraft/images_variant_test.txt").write_text("")


def other_encoding_of_list(root: Path) -> None:
    """A list that is not text."""
    (root / "fgvc_aircraft/images_variant_val.txt").write_bytes(b"\xff\xfe")


def billion_labels(root: Path) -> None:
    """A label of a billion: a list of all missing labels would not fit into memory."""
    listed = rows("dtd")
    listed["train"].append(("banded/more.jpg", 10**9, "more"))
    write_split(root / "dtd" / card("dtd").split_file, listed)


def absolute_path(root: Path) -> None:
    """An image that is listed by its existing absolute path."""
    _relist(root, lambda path: str(root / "dtd/images" / path))


def dotted_path(root: Path) -> None:
    """An image that is listed by a path out of the folder and back."""
    _relist(root, lambda path: f"../images/{path}")


def here_path(root: Path) -> None:
    """An image that is listed as `find .` prints it."""
    _relist(root, lambda path: f"./{path}")


def doubled_path(root: Path) -> None:
    """A path with an empty name in it."""
    _relist(root, lambda path: path.replace("/", "//"))


def backslash_path(root: Path) -> None:
    """A list that was written on Windows."""
    _relist(root, lambda path: path.replace("/", "\\"))


def pointer_as_split(root: Path) -> None:
    """A pointer, as git has it without its extension for large files."""
    (root / "dtd" / card("dtd").split_file).write_text(POINTER)


def compressed_split(root: Path) -> None:
    """A split file that was not unpacked."""
    path = root / "dtd" / card("dtd").split_file
    path.write_bytes(gzip.compress(path.read_bytes()))


def compressed_list(root: Path) -> None:
    """A list of the official archive that was not unpacked."""
    path = root / "fgvc_aircraft/images_variant_test.txt"
    path.write_bytes(gzip.compress(path.read_bytes()))


def pointer_as_image(root: Path) -> None:
    """As `pointer_as_split`, with an image."""
    (root / "dtd/images" / rows("dtd")["test"][0][0]).write_text(POINTER)


def folder_for_image(root: Path) -> None:
    """A folder with an image's name."""
    path = root / "dtd/images" / rows("dtd")["test"][0][0]
    path.unlink()
    path.mkdir()


def circle_for_image(root: Path) -> None:
    """A link to itself in an image's place."""
    path = root / "dtd/images" / rows("dtd")["test"][0][0]
    path.unlink()
    path.symlink_to(path)


def pipe_for_image(root: Path) -> None:
    """A named pipe in an image's place: reading it would never end."""
    path = root / "dtd/images" / rows("dtd")["test"][0][0]
    path.unlink()
    os.mkfifo(path)


def left_behind(root: Path) -> None:
    """Files of systems and tools beside the images."""
    classes = root / "imagenet/images/train"
    for place in (classes, classes / "n01440764"):
        for name in (".ipynb_checkpoints", "@eaDir", "__MACOSX", "lost+found"):
            (place / name).mkdir()
            (place / name / "copy.JPEG").write_bytes(picture(0))
        for name in ("._n01440764_01.JPEG", "Thumbs.db", ".DS_Store"):
            (place / name).write_bytes(b"\0")


def truncated_image(root: Path) -> None:
    """A JPEG file that ends too early."""
    path = root / "oxford_flowers/jpg" / rows("oxford_flowers")["test"][-1][0]
    path.write_bytes(path.read_bytes()[:400])


def other_case_of_images(root: Path) -> None:
    """Image names in lower case, as from a file system that ignores case."""
    for path in (root / "oxford_pets/images").iterdir():
        path.rename(path.with_name(path.name.lower()))


def other_case_of_folder(root: Path) -> None:
    """The data set's folder, written as in its paper."""
    (root / "eurosat").rename(root / "EuroSAT")


def empty_class_folder(root: Path) -> None:
    """A class without images."""
    for path in (root / "imagenet/images/train/n01443537").iterdir():
        path.unlink()


def no_class_folder(root: Path) -> None:
    """A class that is missing from a part."""
    for path in (root / "imagenet/images/val/n01443537").iterdir():
        path.unlink()
    (root / "imagenet/images/val/n01443537").rmdir()


def validation_images_in_one_folder(root: Path) -> None:
    """ImageNet's validation images as their archive unpacks."""
    val = root / "imagenet/images/val"
    for path in sorted(val.glob("*/*")):
        path.rename(val / path.name)
    for folder in sorted(val.iterdir()):
        if folder.is_dir():
            folder.rmdir()


def strange_class_folder(root: Path) -> None:
    """A folder that is not a class of ImageNet-R."""
    (root / "imagenet-rendition/imagenet-r/n99999999").mkdir()


def names_in_other_order(root: Path) -> None:
    """A list of class names that is not the published one."""
    path = root / "fgvc_aircraft/variants.txt"
    path.write_text("".join(f"{line}\n" for line in reversed(path.read_text().splitlines())))


def unknown_variant(root: Path) -> None:
    """A list names a class that does not exist."""
    path = root / "fgvc_aircraft/images_variant_test.txt"
    path.write_text(path.read_text().replace("Yak-42", "Yak-24"))


def no_list(root: Path) -> None:
    """A list of the official archive is not there."""
    (root / "fgvc_aircraft/images_variant_train.txt").unlink()


def _relist(root: Path, change: Callable[[str], str]) -> None:
    """Change the path of the first test image in the list of dtd."""
    listed = rows("dtd")
    path, label, name = listed["test"][0]
    listed["test"][0] = (change(path), label, name)
    write_split(root / "dtd" / card("dtd").split_file, listed)


def _relabel(root: Path, name: str, change: Callable[[str, int, str], tuple[str, int, str]]) -> None:
    """Change every row of a split file."""
    listed = {part: [change(*row) for row in of_part] for part, of_part in rows(name).items()}
    write_split(root / card(name).directory / card(name).split_file, listed)
