"""The published data sets in miniature: real pictures in the real layouts, four classes each (ImageNet: ten); and ways to damage them."""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from depthub.data import splits
from depthub.data.facts import Facts
from depthub.data.ondisk import OnDisk
from depthub.plugins import installed

SIZE = {"train": 5, "val": 2, "test": 3}  # images a class
COLOURS = ((220, 40, 40), (40, 190, 40), (40, 40, 220), (230, 220, 30))
Rows = dict[str, list[tuple[str, int, str]]]
# class names in label order, and what the path of a class's images is made of; {i} is a running number
CLASSES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "caltech101": (
        ("face", "Faces/image_{i:04}.jpg"),
        ("leopard", "Leopards/image_{i:04}.jpg"),
        ("motorbike", "Motorbikes/image_{i:04}.jpg"),
        ("accordion", "accordion/image_{i:04}.jpg"),
    ),
    "oxford_pets": (
        ("abyssinian", "Abyssinian_{i}.jpg"),
        ("american_bulldog", "american_bulldog_{i}.jpg"),
        ("bengal", "Bengal_{i}.jpg"),
        ("yorkshire_terrier", "yorkshire_terrier_{i}.jpg"),
    ),
    "stanford_cars": (
        ("2000 AM General Hummer SUV", "{folder}/{i:05}.jpg"),
        ("2012 Acura RL Sedan", "{folder}/1{i:04}.jpg"),
        ("1998 Eagle Talon Hatchback", "{folder}/2{i:04}.jpg"),
        ("2012 smart fortwo Convertible", "{folder}/3{i:04}.jpg"),
    ),
    "oxford_flowers": (
        ("pink primrose", "image_0673{i}.jpg"),
        ("hard-leaved pocket orchid", "image_0509{i}.jpg"),
        ("petunia", "image_0144{i}.jpg"),
        ("blackberry lily", "image_0802{i}.jpg"),
    ),
    "food101": (
        ("apple_pie", "apple_pie/100564{i}.jpg"),
        ("cheese_plate", "cheese_plate/101239{i}.jpg"),
        ("cheesecake", "cheesecake/100083{i}.jpg"),
        ("waffles", "waffles/100523{i}.jpg"),
    ),
    "sun397": (
        ("abbey", "a/abbey/sun_aaalbzqrimafwbiv{i}.jpg"),
        ("airplane_cabin", "a/airplane_cabin/sun_adczswmqmwmvqrpw{i}.jpg"),
        ("outdoor apartment_building", "a/apartment_building/outdoor/sun_axudobkbmfztyxel{i}.jpg"),
        ("youth_hostel", "y/youth_hostel/sun_bajbvnzxymxcnbmc{i}.jpg"),
    ),
    "dtd": (
        ("banded", "banded/banded_{i:04}.jpg"),
        ("blotchy", "blotchy/blotchy_{i:04}.jpg"),
        ("polka-dotted", "polka-dotted/polka-dotted_{i:04}.jpg"),
        ("zigzagged", "zigzagged/zigzagged_{i:04}.jpg"),
    ),
    "eurosat": (
        ("Annual Crop Land", "AnnualCrop/AnnualCrop_{i}.jpg"),
        ("Forest", "Forest/Forest_{i}.jpg"),
        ("Highway or Road", "Highway/Highway_{i}.jpg"),
        ("Sea or Lake", "SeaLake/SeaLake_{i}.jpg"),
    ),
    "ucf101": (
        ("Apply_Eye_Makeup", "Apply_Eye_Makeup/v_ApplyEyeMakeup_g01_c0{i}.jpg"),
        ("Handstand_Pushups", "Handstand_Pushups/v_HandStandPushups_g01_c0{i}.jpg"),
        ("Handstand_Walking", "Handstand_Walking/v_HandstandWalking_g01_c0{i}.jpg"),
        ("Yo_Yo", "Yo_Yo/v_YoYo_g01_c0{i}.jpg"),
    ),
    "fgvc_aircraft": (
        ("707-320", "003430{i}.jpg"),
        ("Cessna 525", "063420{i}.jpg"),
        ("F-16A/B", "104482{i}.jpg"),
        ("Yak-42", "205630{i}.jpg"),
    ),
    "imagenet": (  # also those of its variants below
        ("tench", "{folder}/n01440764/n01440764_{i:02}.JPEG"),
        ("goldfish", "{folder}/n01443537/n01443537_{i:02}.JPEG"),
        ("great white shark", "{folder}/n01484850/n01484850_{i:02}.JPEG"),
        ("hammerhead shark", "{folder}/n01494475/n01494475_{i:02}.JPEG"),
        ("stingray", "{folder}/n01498041/n01498041_{i:02}.JPEG"),
        ("brambling", "{folder}/n01530575/n01530575_{i:02}.JPEG"),
        ("goldfinch", "{folder}/n01531178/n01531178_{i:02}.JPEG"),
        ("junco", "{folder}/n01534433/n01534433_{i:02}.JPEG"),
        ("acorn", "{folder}/n12267677/n12267677_{i:02}.JPEG"),
        ("toilet paper", "{folder}/n15075141/n15075141_{i:02}.JPEG"),
    ),
    "imagenetv2": (
        ("tench", "0/0a{i:02}c.jpeg"),
        ("great white shark", "2/2b{i:02}c.jpeg"),
        ("brambling", "10/10c{i:02}d.jpeg"),
        ("toilet paper", "999/99d{i:02}e.jpeg"),
    ),
    "imagenet_sketch": (
        ("tench", "n01440764/sketch_{i:02}.JPEG"),
        ("goldfish", "n01443537/sketch_{i:02}.JPEG"),
        ("stingray", "n01498041/sketch_{i:02}.JPEG"),
        ("toilet paper", "n15075141/sketch_{i:02}.JPEG"),
    ),
    "imagenet_a": (
        ("stingray", "n01498041/0.00{i:02}_digital clock _ digital clock_0.9.jpg"),
        ("goldfinch", "n01531178/0.00{i:02}_leafhopper _ leafhopper_0.5.jpg"),
        ("junco", "n01534433/0.00{i:02}_puck _ puck_0.9.jpg"),
        ("acorn", "n12267677/0.00{i:02}_fox squirrel _ fox squirrel_0.9.jpg"),
    ),
    "imagenet_r": (
        ("goldfish", "n01443537/art_{i:02}.jpg"),
        ("great white shark", "n01484850/cartoon_{i:02}.jpg"),
        ("hammerhead shark", "n01494475/sculpture_{i:02}.jpg"),
        ("acorn", "n12267677/origami_{i:02}.jpg"),
    ),
}
FOLDERS = {"stanford_cars": ("cars_train", "cars_train", "cars_test"), "imagenet": ("train", "train", "val")}


def facts(name: str) -> Facts:
    """What is known of the published data set."""
    found: OnDisk = installed().get("datasets", name)
    return found.facts


def rows(name: str) -> Rows:
    """The images of a miniature by part: path, label and class name, in the order of its split file."""
    known = facts(name)
    parts = known.parts if known.layout in ("folders", "numbered") else SIZE
    made: Rows = {"train": [], "val": [], "test": []}
    start = 1
    for part, folder in zip(SIZE, FOLDERS.get(name, ("",) * 3), strict=True):
        if part in parts:
            classes = list(enumerate(CLASSES[name]))
            if name == "oxford_flowers":  # its file lists the classes in another order
                classes = [classes[i] for i in (3, 0, 2, 1)]
            numbers = list(range(start, start + SIZE[part]))
            if known.layout == "split":  # as in the published ones, the images of a class are not in order
                random.Random(name).shuffle(numbers)
            made[part] = [(path.format(folder=folder, i=i), label, text) for label, (text, path) in classes for i in numbers]
        start += SIZE[part]
    return made


def make(root: Path, name: str) -> Path:
    """Write a miniature below a data root; returns the data set's directory."""
    known = facts(name)
    directory, images, listed = root / known.directory, root / known.directory / known.images, rows(name)
    paths = [(path, label) for part in listed.values() for path, label, _ in part]
    for number, (path, label) in enumerate(paths):
        (images / path).parent.mkdir(parents=True, exist_ok=True)
        (images / path).write_bytes(picture(label, number))
    if known.layout == "split":
        write_split(directory / known.split_file, listed)
    if known.layout == "lists":
        (directory / known.class_list).write_text("".join(f"{text}\n" for text, _ in CLASSES[name]))
        for part, file in known.parts.items():
            (directory / file).write_text("".join(f"{Path(path).stem} {text}\n" for path, _, text in listed[part]))
    if name in ("imagenet_a", "imagenet_r"):
        (images / "README.txt").write_text("about the data set\n")
    if name == "oxford_flowers":
        (directory / "cat_to_name.json").write_text(json.dumps({str(i): text for i, (text, _) in enumerate(CLASSES[name], 1)}))
    return directory


def make_all(root: Path) -> Path:
    """All fifteen below one data root, which is returned."""
    for name in CLASSES:
        make(root, name)
    return root


@cache
def picture(label: int, number: int = 9) -> bytes:
    """A noisy picture of a class's colour; the first ones are not what `.jpg` promises: CMYK, palette in PNG and in GIF, gray."""
    generator = np.random.default_rng((label, number))
    noisy = np.clip(np.array(COLOURS[label % len(COLOURS)]) + generator.normal(0, 30, (36, 40, 3)), 0, 255).astype(np.uint8)
    mode, form = {0: ("CMYK", "JPEG"), 1: ("P", "PNG"), 2: ("P", "GIF"), 3: ("L", "JPEG")}.get(number, ("RGB", "JPEG"))
    held, extra = io.BytesIO(), {"transparency": bytes(range(256))} if number == 1 else {}
    Image.fromarray(noisy).convert(mode).save(held, form, **extra)
    return held.getvalue()


def write_split(path: Path, listed: Rows) -> None:
    """Write a split file as the published ones are written."""
    path.write_text(json.dumps(listed, indent=4))


def official(root: Path, name: str) -> Facts:
    """The facts of a data set of which the miniature below `root` is the published form."""
    known = facts(name)
    data_set = OnDisk(known)
    place = data_set.place(root)
    split = data_set.split(place)
    made = replace(
        known,
        n_classes=len(split.names),
        n_base=-(-len(split.names) // 2) if known.n_base else 0,
        names_sha256=splits.names_sha256(split.names.values()),
        per_class={"all": (sum(SIZE[part] for part, own in split.parts.items() if own),) * 2},
        fingerprints={},
        zero_shot={},
    )
    if known.layout == "split":
        content = (place.directory / known.split_file).read_bytes()
        made = replace(
            made,
            split_canonical=splits.canonical_sha256(split),
            split_sha256=hashlib.sha256(content).hexdigest(),
            split_git_blob=splits.git_blob(content),
            split_bytes=len(content),
        )
    return replace(made, counts=split.counts(made))


# Damage. Each function takes the data root and spoils one data set below it.


def sketch_not_renamed(root: Path) -> None:
    """The archive of ImageNet-Sketch as it unpacks."""
    (root / "imagenet-sketch/images").rename(root / "imagenet-sketch/sketch")


def web_page_as_split(root: Path) -> None:
    """A download that was refused."""
    (root / "dtd" / facts("dtd").split_file).write_text("<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>\n")


def truncated_split(root: Path) -> None:
    """A download that broke off."""
    path = root / "eurosat" / facts("eurosat").split_file
    path.write_bytes(path.read_bytes()[:700])


def no_split(root: Path) -> None:
    """The split file is not there."""
    (root / "food-101" / facts("food101").split_file).unlink()


def self_made_split(root: Path) -> None:
    """Another division with the right counts, as other code makes it where it finds none."""
    listed = rows("dtd")
    listed["train"][0], listed["test"][0] = listed["test"][0], listed["train"][0]
    write_split(root / "dtd" / facts("dtd").split_file, listed)


def same_content_other_bytes(root: Path) -> None:
    """The official split, written by another program."""
    (root / "dtd" / facts("dtd").split_file).write_text(json.dumps(rows("dtd")))


def labels_with_gap(root: Path) -> None:
    """No class has label 1."""
    _relabel(root, "ucf101", lambda path, label, name: (path, label + (label > 0), name))


def two_names_for_a_label(root: Path) -> None:
    """The first class has two names."""
    _relabel(root, "ucf101", lambda path, label, name: (path, label, "Brush" if path.endswith("1.jpg") else name))


def image_in_train_and_test(root: Path) -> None:
    """An image is tested on that was trained on."""
    listed = rows("caltech101")
    listed["test"].append(listed["train"][0])
    write_split(root / "caltech-101" / facts("caltech101").split_file, listed)


def image_twice(root: Path) -> None:
    """A training image is listed twice."""
    listed = rows("caltech101")
    listed["train"].append(listed["train"][0])
    write_split(root / "caltech-101" / facts("caltech101").split_file, listed)


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
    """The split file, spelt otherwise."""
    path = root / "dtd" / facts("dtd").split_file
    path.rename(path.with_name(path.name.lower()))


def no_test_images(root: Path) -> None:
    """A list of the official archive without content."""
    (root / "fgvc_aircraft/images_variant_test.txt").write_text("")


def other_encoding_of_list(root: Path) -> None:
    """A list that is no text."""
    (root / "fgvc_aircraft/images_variant_val.txt").write_bytes(b"\xff\xfe")


def truncated_image(root: Path) -> None:
    """A JPEG file that ends too early."""
    path = root / "oxford_flowers/jpg" / rows("oxford_flowers")["test"][-1][0]
    path.write_bytes(path.read_bytes()[:400])


def other_case_of_images(root: Path) -> None:
    """Image names as a file system made them that ignores case."""
    for path in (root / "oxford_pets/images").iterdir():
        path.rename(path.with_name(path.name.lower()))


def other_case_of_folder(root: Path) -> None:
    """The data set's folder, spelt as in its paper."""
    (root / "eurosat").rename(root / "EuroSAT")


def empty_class_folder(root: Path) -> None:
    """A class without images."""
    for path in (root / "imagenet/images/train/n01443537").iterdir():
        path.unlink()


def no_class_folder(root: Path) -> None:
    """A class that is in one part only."""
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
    """A folder that is no class of ImageNet-R."""
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


def _relabel(root: Path, name: str, change: Callable[[str, int, str], tuple[str, int, str]]) -> None:
    listed = {part: [change(*row) for row in own] for part, own in rows(name).items()}
    write_split(root / facts(name).directory / facts(name).split_file, listed)
