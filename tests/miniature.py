"""The published data sets in miniature: real pictures in the real layouts, four classes each (ImageNet: ten)."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from depthub.data.published import splits
from depthub.data.published.cards import DatasetCard
from depthub.data.published.on_disk import OnDisk
from depthub.registry.plugins import installed

SIZE = {"train": 5, "val": 2, "test": 3}  # images per class
COLOURS = ((220, 40, 40), (40, 190, 40), (40, 40, 220), (230, 220, 30))
Rows = dict[str, list[tuple[str, int, str]]]
# class names in label order, and the pattern of the paths of a class's images; {i} is a running number
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
IMAGENETS = [name for name in CLASSES if name.startswith("imagenet")]
TARGETS = [name for name in CLASSES if name not in IMAGENETS]
FOLDERS = {"stanford_cars": ("cars_train", "cars_train", "cars_test"), "imagenet": ("train", "train", "val")}


def card(name: str) -> DatasetCard:
    """The card of the published data set."""
    data_set: OnDisk = installed().get("datasets", name)
    return data_set.card


def rows(name: str) -> Rows:
    """The images of a miniature by part: path, label and class name, in the order of its split file."""
    published = card(name)
    parts = published.parts if published.layout in ("folders", "numbered") else SIZE
    listed: Rows = {"train": [], "val": [], "test": []}
    start = 1
    for part, folder in zip(SIZE, FOLDERS.get(name, ("",) * 3), strict=True):
        if part in parts:
            classes = list(enumerate(CLASSES[name]))
            if name == "oxford_flowers":  # its file lists the classes in another order
                classes = [classes[i] for i in (3, 0, 2, 1)]
            numbers = list(range(start, start + SIZE[part]))
            if published.layout == "split":  # as in the published ones, the images of a class are not in order
                random.Random(name).shuffle(numbers)
            listed[part] = [(path.format(folder=folder, i=i), label, text) for label, (text, path) in classes for i in numbers]
        start += SIZE[part]
    return listed


def make(root: Path, name: str) -> Path:
    """Write a miniature below a data root; returns the data set's directory."""
    published = card(name)
    directory, images, listed = root / published.directory, root / published.directory / published.images, rows(name)
    paths = [(path, label) for part in listed.values() for path, label, _ in part]
    for number, (path, label) in enumerate(paths):
        (images / path).parent.mkdir(parents=True, exist_ok=True)
        (images / path).write_bytes(picture(label, number))
    if published.layout == "split":
        write_split(directory / published.split_file, listed)
    if published.layout == "lists":
        (directory / published.class_list).write_text("".join(f"{text}\n" for text, _ in CLASSES[name]))
        for part, file in published.parts.items():
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
    """A noisy picture of a class's colour; the first ones are not RGB in JPEG: CMYK, palette in PNG and in GIF, gray."""
    generator = np.random.default_rng((label, number))
    noisy = np.clip(np.array(COLOURS[label % len(COLOURS)]) + generator.normal(0, 30, (36, 40, 3)), 0, 255).astype(np.uint8)
    mode, form = {0: ("CMYK", "JPEG"), 1: ("P", "PNG"), 2: ("P", "GIF"), 3: ("L", "JPEG")}.get(number, ("RGB", "JPEG"))
    transparency = {"transparency": bytes(range(256))} if number == 1 else {}
    file = io.BytesIO()
    Image.fromarray(noisy).convert(mode).save(file, form, **transparency)
    return file.getvalue()


def write_split(path: Path, listed: Rows) -> None:
    """Write a split file as the published ones are written."""
    path.write_text(json.dumps(listed, indent=4))


def official(root: Path, name: str) -> DatasetCard:
    """The card of a data set with the miniature below `root` as its published form."""
    published = card(name)
    data_set = OnDisk(published)
    place = data_set.place(root)
    split = data_set.split(place)
    per_class = sum(SIZE[part] for part, images in split.parts.items() if images)
    small = replace(
        published,
        n_classes=len(split.names),
        n_base=-(-len(split.names) // 2) if published.n_base else 0,
        names_sha256=splits.names_sha256(split.names.values()),
        per_class={"all": (per_class, per_class)},
        fingerprints={},
        zero_shot={},
    )
    if published.layout == "split":
        content = (place.directory / published.split_file).read_bytes()
        small = replace(
            small,
            split_canonical=splits.canonical_sha256(split),
            split_sha256=hashlib.sha256(content).hexdigest(),
            split_git_blob=splits.git_blob(content),
            split_bytes=len(content),
        )
    return replace(small, counts=split.counts(small))


def alone(whole: Path, name: str, root: Path) -> Path:
    """A data root with a copy of one data set of another root; tests may change it."""
    shutil.copytree(whole / card(name).directory, root / card(name).directory)
    return root


def entries(root: Path) -> dict[str, tuple[int, int]]:
    """Everything below a folder, with sizes and times of change in nanoseconds."""
    status = {str(path): path.lstat() for path in root.rglob("*")}
    return {path: (entry.st_size, entry.st_mtime_ns) for path, entry in status.items()}
