"""`depthub data check`: every fault is reported with a remedy; a healthy data set has none; nothing is written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from depthub.data.check_report import LEVELS
from depthub.data.fewshot import draw_both, fingerprint
from depthub.data.listing import Listing
from depthub.data.published import imagenet, splits
from depthub.data.published.cards import DatasetCard, ZeroShotTarget
from depthub.data.published.check import check
from depthub.data.published.on_disk import OnDisk
from depthub.running.zero_shot_check import check_zero_shot
from depthub.spec import BackboneSpec, Component
from tests import damage, miniature
from tests.miniature import alone, entries

Damage = Callable[[Path], None]

ZERO_SHOT = Component("ZeroShot")


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All miniatures; tests do not change it."""
    return miniature.make_all(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def no_fetched_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "cache"))


def level(name: str) -> int:
    return LEVELS.index(name)


@pytest.mark.parametrize("name", miniature.CLASSES)
def test_a_healthy_data_set_has_no_fault(healthy: Path, name: str) -> None:
    before = entries(healthy)
    report = check(OnDisk(miniature.official(healthy, name)), healthy)
    assert report.good
    assert {report.outcome(i) for i in range(6)} <= {"ok", "official", "none", "1 warning"}
    # the archives of two hold such a file
    assert [fault.files for fault in report.faults] == (
        [(f"{miniature.card(name).directory}/{miniature.card(name).images}/README.txt",)] if name in ("imagenet_a", "imagenet_r") else []
    )
    assert entries(healthy) == before


IMAGE, LIST = f"dtd/images/{miniature.rows('dtd')['test'][0][0]}", "dtd/split_zhou_DescribableTextures.json"
FAULTS = [
    (damage.sketch_not_renamed, "imagenet_sketch", "layout", "imagenet-sketch/images", "rename imagenet-sketch/sketch to images"),
    (damage.other_case_of_folder, "eurosat", "layout", "eurosat", "EuroSAT differs from it in upper and lower case: rename it"),
    (damage.no_class_folder, "imagenet", "layout", "imagenet/images/val", "; not there: n01443537"),
    (damage.validation_images_in_one_folder, "imagenet", "layout", "imagenet/images/val", ": 0 class folders instead of "),
    (
        damage.strange_class_folder,
        "imagenet_r",
        "layout",
        "imagenet-rendition/imagenet-r/n99999999",
        "not a class of this data set; rename it or move it away",
    ),
    (damage.web_page_as_split, "dtd", "split file", LIST, "is a web page, not a split file"),
    (
        damage.truncated_split,
        "eurosat",
        "split file",
        "eurosat/split_zhou_EuroSAT.json",
        "is cut off after 700 bytes; move it away; `depthub data fetch",
    ),
    (
        damage.no_split,
        "food101",
        "split file",
        "food-101/split_zhou_Food101.json",
        "not there; `depthub data fetch-splits food101` gets",
    ),
    (damage.labels_with_gap, "ucf101", "split file", "ucf101/split_zhou_UCF101.json", "without gaps"),
    (damage.labels_with_gap, "ucf101", "split file", "ucf101/split_zhou_UCF101.json", "15 train images instead of 20; 5 train/base"),
    (damage.two_names_for_a_label, "ucf101", "split file", "ucf101/split_zhou_UCF101.json", "0 (Apply_Eye_Makeup, Brush)"),
    (
        damage.image_in_train_and_test,
        "caltech101",
        "split file",
        "caltech-101/split_zhou_Caltech101.json",
        "in train and in test: Faces/",
    ),
    (damage.image_twice, "caltech101", "split file", "caltech-101/split_zhou_Caltech101.json", "listed twice in train: Faces/"),
    (damage.no_list, "fgvc_aircraft", "split file", "fgvc_aircraft/images_variant_train.txt", "not there; it is part of the official"),
    (
        damage.unknown_variant,
        "fgvc_aircraft",
        "split file",
        "fgvc_aircraft/images_variant_test.txt",
        "class 'Yak-24' is not in variants.txt",
    ),
    (damage.link_to_nowhere, "dtd", "files", IMAGE, "but not there; unpack"),
    (
        damage.circle_for_image,
        "dtd",
        "files",
        IMAGE,
        "is a link that leads in a circle; unpack",
    ),
    (damage.folder_for_image, "dtd", "files", IMAGE, ": is a folder; unpack"),
    (damage.pipe_for_image, "dtd", "files", IMAGE, ": is a named pipe; unpack"),
    (damage.pointer_as_image, "dtd", "files", IMAGE, ": is a Git LFS pointer instead"),
    (
        damage.billion_labels,
        "dtd",
        "split file",
        LIST,
        "missing, or below 0: 4, 5, 6 and 999999993 more",
    ),
    (
        damage.absolute_path,
        "dtd",
        "split file",
        LIST,
        ": paths must be relative, with / between names",
    ),
    (
        damage.dotted_path,
        "dtd",
        "split file",
        LIST,
        "from the folder of the images: ../images/banded/",
    ),
    (
        damage.compressed_split,
        "dtd",
        "split file",
        LIST,
        "is compressed with gzip (unpack it), not a",
    ),
    (damage.folder_link_to_nowhere, "dtd", "files", "dtd/images", "perhaps a link that leads nowhere: move it away"),
    (
        damage.other_case_of_split,
        "dtd",
        "split file",
        LIST,
        "dtd/split_zhou_describabletextures.json differs from it in upper and lower case",
    ),
    (
        damage.no_test_images,
        "fgvc_aircraft",
        "split file",
        "fgvc_aircraft/variants.txt",
        "no images in test; it is part of the official",
    ),
    (
        damage.other_encoding_of_list,
        "fgvc_aircraft",
        "split file",
        "fgvc_aircraft/images_variant_val.txt",
        ": 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte; it is part of the official archive",
    ),
    (damage.self_made_split, "dtd", "identity", LIST, "self-made: not the official split, though"),
    (
        damage.image_twice,
        "caltech101",
        "identity",
        "caltech-101/split_zhou_Caltech101.json",
        "unknown: not the official split; samples and test",
    ),
    (damage.names_in_other_order, "fgvc_aircraft", "class names", "fgvc_aircraft/variants.txt", "the class names, or their order"),
    (damage.empty_image, "stanford_cars", "files", "stanford_cars/cars_test/00008.jpg", "an empty file; unpack it again"),
    (damage.empty_class_folder, "imagenet", "per class", "imagenet/images/train/n01443537", "a class folder without images; unpack"),
]


@pytest.mark.parametrize(("damage", "name", "where", "file", "says"), FAULTS, ids=lambda value: getattr(value, "__name__", None))
def test_each_fault_is_named_with_its_file_and_a_remedy(
    healthy: Path, tmp_path: Path, damage: Damage, name: str, where: str, file: str, says: str
) -> None:
    root = alone(healthy, name, tmp_path / "data")
    damage(root)
    report = check(OnDisk(miniature.official(healthy, name)), root)
    assert not report.good
    lines = [str(fault) for fault in report.faults if fault.severity == "fault" and file in fault.files]
    assert any(line.startswith(f"fault, {where}: {file}: ") and says in line for line in lines), lines
    assert all(fault.remedy for fault in report.faults)


def test_a_path_that_is_not_plain_is_a_fault_of_the_list_only(healthy: Path, tmp_path: Path) -> None:
    root = alone(healthy, "dtd", tmp_path / "data")
    damage.absolute_path(root)
    report = check(OnDisk(miniature.official(healthy, "dtd")), root)
    assert "files" not in {LEVELS[fault.level] for fault in report.faults}


def test_files_left_behind_by_systems_are_not_a_fault(healthy: Path, tmp_path: Path) -> None:
    root = alone(healthy, "imagenet", tmp_path / "data")
    damage.left_behind(root)
    assert check(OnDisk(miniature.official(healthy, "imagenet")), root, deep=True).good


def test_a_level_without_the_basis_of_an_earlier_one_is_skipped(healthy: Path, tmp_path: Path) -> None:
    root = alone(healthy, "dtd", tmp_path / "data")
    damage.web_page_as_split(root)
    report = check(OnDisk(miniature.official(healthy, "dtd")), root, deep=True)
    assert len(report.faults) == 1
    assert [report.outcome(i) for i in range(4)] == [
        "ok",
        "1 fault",
        "not checked: the list of images cannot be read",
        "not checked: the list of images cannot be used",
    ]


def test_another_program_may_have_written_the_official_split(healthy: Path, tmp_path: Path) -> None:
    root = alone(healthy, "dtd", tmp_path / "data")
    damage.same_content_other_bytes(root)
    report = check(OnDisk(miniature.official(healthy, "dtd")), root)
    assert report.good
    assert report.outcome(level("identity")) == "same content, other bytes"


def test_exchanged_names_are_found(healthy: Path, tmp_path: Path) -> None:
    """The labels of Food101 that are exchanged on the Hub."""
    root, listed = alone(healthy, "food101", tmp_path / "data"), miniature.rows("food101")
    exchanged = {1: 2, 2: 1}
    exchanged_rows = {part: [(path, exchanged.get(label, label), name) for path, label, name in rows] for part, rows in listed.items()}
    miniature.write_split(root / "food-101/split_zhou_Food101.json", exchanged_rows)
    report = check(OnDisk(miniature.official(healthy, "food101")), root)
    (fault,) = [fault for fault in report.faults if fault.level == level("class names")]
    assert "labels 1 (cheesecake) and 2 (cheese_plate) are exchanged" in fault.what


def test_numbered_folders_are_labels_and_not_sorted_as_text(healthy: Path) -> None:
    data_set = OnDisk(miniature.card("imagenetv2"))
    names = data_set.split(data_set.place(healthy)).names
    assert list(names.values()) == ["tench", "great white shark", "brambling", "toilet paper"]  # folders 0, 2, 10, 999


def test_a_wrong_list_of_names_for_other_code_is_worth_a_warning(healthy: Path, tmp_path: Path) -> None:
    root = alone(healthy, "imagenet_sketch", tmp_path / "data")
    file = root / "imagenet-sketch/classnames.txt"
    right = [f"{i} {name}" for i, name in zip(imagenet.wordnet_ids(), imagenet.class_names(), strict=True)]
    data_set = OnDisk(miniature.official(healthy, "imagenet_sketch"))
    file.write_text("\n".join(right) + "\n")
    assert check(data_set, root).faults == ()
    file.write_text("\n".join(right).replace("goldfish", "Goldfish"))
    (fault,) = check(data_set, root).faults
    assert (fault.severity, fault.files) == ("warning", ("imagenet-sketch/classnames.txt",))


def test_a_class_folder_without_pictures_is_found_beside_warnings(healthy: Path, tmp_path: Path) -> None:
    root = alone(healthy, "imagenet_r", tmp_path / "data")
    folder = root / "imagenet-rendition/imagenet-r/n01443537"
    for path in folder.iterdir():
        path.rename(path.with_suffix(".txt"))
    warning, fault = check(OnDisk(miniature.official(healthy, "imagenet_r")), root).faults
    assert (warning.severity, fault.severity) == ("warning", "fault")
    assert "n01443537" in fault.what


def test_all_missing_files_are_counted_and_the_first_are_named(healthy: Path, tmp_path: Path) -> None:
    root = alone(healthy, "sun397", tmp_path / "data")
    damage.missing_images(root)
    (fault,) = check(OnDisk(miniature.official(healthy, "sun397")), root).faults
    assert sorted(fault.files) == [f"sun397/SUN397/a/abbey/sun_aaalbzqrimafwbiv{i}.jpg" for i in (1, 10, *range(2, 10))]
    assert "and 7 more: listed in split_zhou_SUN397.json, but not there" in str(fault)


def test_names_that_differ_in_case_are_not_missing(healthy: Path, tmp_path: Path) -> None:
    root = alone(healthy, "oxford_pets", tmp_path / "data")
    damage.other_case_of_images(root)
    (fault,) = check(OnDisk(miniature.official(healthy, "oxford_pets")), root).faults
    assert len(fault.files) == 20  # of the four breeds, two have capitals
    assert "abyssinian_" in fault.files[0]
    assert "Abyssinian_" in fault.what


def test_a_lower_case_name_is_not_taken_for_its_upper_case_file(tmp_path: Path) -> None:
    (tmp_path / "Seven.JPG").write_bytes(b"7")
    assert Listing(tmp_path).presence(["seven.jpg", "Seven.JPG", "eight.jpg"]).other_case == {"seven.jpg": "Seven.JPG"}


def test_decoding_distinguishes_broken_images_from_odd_ones(healthy: Path, tmp_path: Path) -> None:
    root = alone(healthy, "oxford_flowers", tmp_path / "data")
    progress: list[tuple[int, int]] = []
    damage.truncated_image(root)
    data_set = OnDisk(miniature.official(healthy, "oxford_flowers"))
    report = check(data_set, root, deep=True, progress=lambda done, total: progress.append((done, total)))
    broken, *odd = sorted(report.faults, key=lambda fault: fault.severity)
    assert broken.files == ("oxford_flowers/jpg/image_050910.jpg",)
    assert broken.what.startswith("cannot be decoded: ")
    assert sorted(fault.what for fault in odd) == ["a GIF file, in mode P", "a PNG file, in mode P", "in mode CMYK"]
    assert {fault.severity for fault in odd} == {"warning"}
    assert progress == [(i, 40) for i in range(1, 41)]
    assert check(data_set, root).good  # it takes --deep to see that


def published(card: DatasetCard, healthy: Path) -> DatasetCard:
    """The card with the samples of the miniature as the published ones, 2 shots, seeds 1 and 2."""
    split = splits.read(healthy / card.directory / card.split_file, card)
    fingerprints = {}
    for seed in (1, 2):
        train, val = draw_both([row.label for row in split.train], [row.label for row in split.val], 2, seed)
        samples = {"train": [split.train[i] for i in train], "val": [split.val[i] for i in val]}
        for part, rows in samples.items():
            fingerprints[f"2/{seed}/{part}"] = fingerprint([row.path for row in rows], [row.label for row in rows])
    return replace(card, fingerprints=fingerprints)


def test_samples_are_compared_with_the_published_ones(healthy: Path, tmp_path: Path) -> None:
    card = published(miniature.official(healthy, "dtd"), healthy)
    assert check(OnDisk(card), healthy, shots=[2, 4], seeds=[1, 2, 3]).outcome(level("sampling")) == "2 of 2"
    assert check(OnDisk(card), healthy).outcome(level("sampling")) == "not checked: no such sample is published"
    root = alone(healthy, "dtd", tmp_path / "data")
    damage.self_made_split(root)
    fault = check(OnDisk(card), root, shots=[2], seeds=[1, 2]).faults[-1]
    assert fault.level == level("sampling")
    assert "2 shots with seed" in fault.what


def test_split_files_alone_can_be_checked(healthy: Path, tmp_path: Path) -> None:
    card = published(miniature.official(healthy, "dtd"), healthy)
    (tmp_path / "data/dtd").mkdir(parents=True)
    shutil.copy(healthy / "dtd" / card.split_file, tmp_path / "data/dtd")
    report = check(OnDisk(card), tmp_path / "data", deep=True, shots=[2], seeds=[1])
    assert [report.outcome(i) for i in range(8)] == [
        *("ok", "ok", "official", "ok", "1 fault", "ok"),
        *("not checked: there are no images", "1 of 1"),
    ]
    (fault,) = report.faults
    assert fault.files == ("dtd/images",)


def test_zero_shot_accuracy_is_compared_with_the_published_one(healthy: Path) -> None:
    trial = BackboneSpec("shapes")
    card = replace(miniature.card("dtd"), zero_shot={"base": ZeroShotTarget(50.0, 3, 3), "new": ZeroShotTarget(100.0, 6, 6)})
    before = entries(healthy)
    _, note = check_zero_shot(card, healthy, ZERO_SHOT, trial)
    counts = dict(part.split(" ") for part in note.split(", "))
    assert {half: count.endswith("/6") for half, count in counts.items()} == {"base": True, "new": True}
    reached = {half: 100 * int(count.removesuffix("/6")) / 6 for half, count in counts.items()}
    right = {half: ZeroShotTarget(percent - 0.2, 0, 0) for half, percent in reached.items()}
    assert check_zero_shot(replace(card, zero_shot=right), healthy, ZERO_SHOT, trial) == ([], note)
    wrong = {half: ZeroShotTarget(percent - 0.4, 0, 0) for half, percent in reached.items()}
    assert len(check_zero_shot(replace(card, zero_shot=wrong), healthy, ZERO_SHOT, trial)[0]) == 2
    assert entries(healthy) == before


def test_missing_weights_are_reported_in_one_line(healthy: Path) -> None:
    (fault,), note = check_zero_shot(miniature.card("dtd"), healthy, ZERO_SHOT, BackboneSpec("ViT-B-16-quickgelu", "nowhere.pt"))
    assert "nowhere.pt" in fault.what
    assert "\n" not in str(fault)
    assert note == ""
