"""`depthub data check`: every fault is found and named with what to do; a healthy data set has none; nothing is written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from depthub.calibration import calibrate
from depthub.cli import main
from depthub.data import imagenet, splits
from depthub.data.check import check
from depthub.data.facts import Calibration, Facts
from depthub.data.fewshot import draw_both, fingerprint
from depthub.data.listing import Listing
from depthub.data.ondisk import OnDisk
from depthub.data.report import LEVELS
from depthub.plugins import installed
from depthub.spec import BackboneSpec
from tests import miniature
from tests.conftest import MakeDistribution

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All miniatures; tests do not change it."""
    return miniature.make_all(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def no_fetched_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "cache"))


def entries(root: Path) -> dict[str, tuple[int, int]]:
    """Everything below a folder, with sizes and times of change."""
    return {str(path): ((stat := path.lstat()).st_size, stat.st_mtime_ns) for path in root.rglob("*")}


def copied(healthy: Path, root: Path, name: str) -> Path:
    """One miniature alone below a data root, for damage."""
    directory = miniature.facts(name).directory
    shutil.copytree(healthy / directory, root / directory)
    return root


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
        [(f"{miniature.facts(name).directory}/{miniature.facts(name).images}/README.txt",)] if name in ("imagenet_a", "imagenet_r") else []
    )
    assert entries(healthy) == before


FAULTS = [
    (miniature.sketch_not_renamed, "imagenet_sketch", "layout", "imagenet-sketch/images", "rename imagenet-sketch/sketch to images"),
    (miniature.other_case_of_folder, "eurosat", "layout", "eurosat", "EuroSAT differs from it in upper and lower case: rename it"),
    (miniature.no_class_folder, "imagenet", "layout", "imagenet/images/val", "; not there: n01443537"),
    (miniature.validation_images_in_one_folder, "imagenet", "layout", "imagenet/images/val", ": 0 class folders instead of "),
    (
        miniature.strange_class_folder,
        "imagenet_r",
        "layout",
        "imagenet-rendition/imagenet-r/n99999999",
        "no class of this data set; rename it or move it away",
    ),
    (miniature.web_page_as_split, "dtd", "split file", "dtd/split_zhou_DescribableTextures.json", "is a web page, not a split file"),
    (
        miniature.truncated_split,
        "eurosat",
        "split file",
        "eurosat/split_zhou_EuroSAT.json",
        "is cut off after 700 bytes; move it away; `depthub data fetch",
    ),
    (
        miniature.no_split,
        "food101",
        "split file",
        "food-101/split_zhou_Food101.json",
        "not there; `depthub data fetch-splits food101` gets",
    ),
    (miniature.labels_with_gap, "ucf101", "split file", "ucf101/split_zhou_UCF101.json", "without gaps"),
    (miniature.labels_with_gap, "ucf101", "split file", "ucf101/split_zhou_UCF101.json", "15 train images instead of 20; 5 train/base"),
    (miniature.two_names_for_a_label, "ucf101", "split file", "ucf101/split_zhou_UCF101.json", "0 (Apply_Eye_Makeup, Brush)"),
    (
        miniature.image_in_train_and_test,
        "caltech101",
        "split file",
        "caltech-101/split_zhou_Caltech101.json",
        "in train and in test: Faces/",
    ),
    (miniature.image_twice, "caltech101", "split file", "caltech-101/split_zhou_Caltech101.json", "listed twice in train: Faces/"),
    (miniature.no_list, "fgvc_aircraft", "split file", "fgvc_aircraft/images_variant_train.txt", "not there; it is part of the official"),
    (
        miniature.unknown_variant,
        "fgvc_aircraft",
        "split file",
        "fgvc_aircraft/images_variant_test.txt",
        "class 'Yak-24' is not in variants.txt",
    ),
    (miniature.link_to_nowhere, "dtd", "files", f"dtd/images/{miniature.rows('dtd')['test'][0][0]}", "but not there; unpack"),
    (miniature.folder_link_to_nowhere, "dtd", "files", "dtd/images", "perhaps a link that leads nowhere: move it away"),
    (
        miniature.other_case_of_split,
        "dtd",
        "split file",
        "dtd/split_zhou_DescribableTextures.json",
        "dtd/split_zhou_describabletextures.json differs from it in upper and lower case",
    ),
    (
        miniature.no_test_images,
        "fgvc_aircraft",
        "split file",
        "fgvc_aircraft/variants.txt",
        "no images in test; it is part of the official",
    ),
    (
        miniature.other_encoding_of_list,
        "fgvc_aircraft",
        "split file",
        "fgvc_aircraft/images_variant_val.txt",
        ": 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte; it is part of the official archive",
    ),
    (miniature.self_made_split, "dtd", "identity", "dtd/split_zhou_DescribableTextures.json", "self-made: not the official split, though"),
    (
        miniature.image_twice,
        "caltech101",
        "identity",
        "caltech-101/split_zhou_Caltech101.json",
        "unknown: not the official split; samples and test",
    ),
    (miniature.names_in_other_order, "fgvc_aircraft", "class names", "fgvc_aircraft/variants.txt", "the class names, or their order"),
    (miniature.empty_image, "stanford_cars", "files", "stanford_cars/cars_test/00008.jpg", "an empty file; unpack it again"),
    (miniature.empty_class_folder, "imagenet", "per class", "imagenet/images/train/n01443537", "a class folder without images; unpack"),
]


@pytest.mark.parametrize(("damage", "name", "where", "file", "says"), FAULTS, ids=lambda value: getattr(value, "__name__", None))
def test_each_fault_is_named_with_its_file_and_a_remedy(
    healthy: Path, tmp_path: Path, damage: Damage, name: str, where: str, file: str, says: str
) -> None:
    root = copied(healthy, tmp_path / "data", name)
    damage(root)
    report = check(OnDisk(miniature.official(healthy, name)), root)
    assert not report.good
    lines = [str(fault) for fault in report.faults if fault.severity == "fault" and file in fault.files]
    assert any(line.startswith(f"fault, {where}: {file}: ") and says in line for line in lines), lines
    assert all(fault.remedy for fault in report.faults)


def test_what_an_earlier_level_leaves_no_basis_for_is_not_checked(healthy: Path, tmp_path: Path) -> None:
    root = copied(healthy, tmp_path / "data", "dtd")
    miniature.web_page_as_split(root)
    report = check(OnDisk(miniature.official(healthy, "dtd")), root, deep=True)
    assert len(report.faults) == 1
    assert [report.outcome(i) for i in range(4)] == [
        "ok",
        "1 fault",
        "not checked: the list of images cannot be read",
        "not checked: the list of images cannot be used",
    ]


def test_another_program_may_have_written_the_official_split(healthy: Path, tmp_path: Path) -> None:
    root = copied(healthy, tmp_path / "data", "dtd")
    miniature.same_content_other_bytes(root)
    report = check(OnDisk(miniature.official(healthy, "dtd")), root)
    assert report.good
    assert report.outcome(level("identity")) == "same content, other bytes"


def test_exchanged_names_are_found(healthy: Path, tmp_path: Path) -> None:
    """The labels of Food101 that are exchanged on the Hub."""
    root, listed = copied(healthy, tmp_path / "data", "food101"), miniature.rows("food101")
    exchanged = {1: 2, 2: 1}
    rows = {part: [(path, exchanged.get(label, label), name) for path, label, name in own] for part, own in listed.items()}
    miniature.write_split(root / "food-101/split_zhou_Food101.json", rows)
    report = check(OnDisk(miniature.official(healthy, "food101")), root)
    (fault,) = [fault for fault in report.faults if fault.level == level("class names")]
    assert "labels 1 (cheesecake) and 2 (cheese_plate) are exchanged" in fault.what


def test_numbered_folders_are_labels_and_not_sorted_as_text(healthy: Path) -> None:
    data_set = OnDisk(miniature.facts("imagenetv2"))
    names = data_set.split(data_set.place(healthy)).names
    assert list(names.values()) == ["tench", "great white shark", "brambling", "toilet paper"]  # folders 0, 2, 10, 999


def test_a_wrong_list_of_names_for_other_code_is_worth_a_warning(healthy: Path, tmp_path: Path) -> None:
    root = copied(healthy, tmp_path / "data", "imagenet_sketch")
    file = root / "imagenet-sketch/classnames.txt"
    right = [f"{i} {name}" for i, name in zip(imagenet.wordnet_ids(), imagenet.class_names(), strict=True)]
    data_set = OnDisk(miniature.official(healthy, "imagenet_sketch"))
    file.write_text("\n".join(right) + "\n")
    assert check(data_set, root).faults == ()
    file.write_text("\n".join(right).replace("goldfish", "Goldfish"))
    (fault,) = check(data_set, root).faults
    assert (fault.severity, fault.files) == ("warning", ("imagenet-sketch/classnames.txt",))


def test_a_class_folder_without_pictures_is_found_beside_warnings(healthy: Path, tmp_path: Path) -> None:
    root = copied(healthy, tmp_path / "data", "imagenet_r")
    folder = root / "imagenet-rendition/imagenet-r/n01443537"
    for path in folder.iterdir():
        path.rename(path.with_suffix(".txt"))
    warning, fault = check(OnDisk(miniature.official(healthy, "imagenet_r")), root).faults
    assert (warning.severity, fault.severity) == ("warning", "fault")
    assert "n01443537" in fault.what


def test_all_missing_files_are_counted_and_the_first_are_named(healthy: Path, tmp_path: Path) -> None:
    root = copied(healthy, tmp_path / "data", "sun397")
    miniature.missing_images(root)
    (fault,) = check(OnDisk(miniature.official(healthy, "sun397")), root).faults
    assert sorted(fault.files) == [f"sun397/SUN397/a/abbey/sun_aaalbzqrimafwbiv{i}.jpg" for i in (1, 10, *range(2, 10))]
    assert "and 7 more: listed in split_zhou_SUN397.json, but not there" in str(fault)


def test_names_that_differ_in_case_are_told_from_missing_ones(healthy: Path, tmp_path: Path) -> None:
    root = copied(healthy, tmp_path / "data", "oxford_pets")
    miniature.other_case_of_images(root)
    (fault,) = check(OnDisk(miniature.official(healthy, "oxford_pets")), root).faults
    assert len(fault.files) == 20  # of the four breeds, two have capitals
    assert "abyssinian_" in fault.files[0]
    assert "Abyssinian_" in fault.what


def test_a_lower_case_name_is_not_taken_for_its_upper_case_file(tmp_path: Path) -> None:
    (tmp_path / "Seven.JPG").write_bytes(b"7")
    assert Listing(tmp_path).presence(["seven.jpg", "Seven.JPG", "eight.jpg"]).misspelt == {"seven.jpg": "Seven.JPG"}


def test_decoding_tells_broken_images_from_odd_ones(healthy: Path, tmp_path: Path) -> None:
    root, told = copied(healthy, tmp_path / "data", "oxford_flowers"), list[tuple[int, int]]()
    miniature.truncated_image(root)
    data_set = OnDisk(miniature.official(healthy, "oxford_flowers"))
    report = check(data_set, root, deep=True, progress=lambda done, total: told.append((done, total)))
    broken, *odd = sorted(report.faults, key=lambda fault: fault.severity)
    assert broken.files == ("oxford_flowers/jpg/image_050910.jpg",)
    assert broken.what.startswith("cannot be decoded: ")
    assert sorted(fault.what for fault in odd) == ["a GIF file, in mode P", "a PNG file, in mode P", "in mode CMYK"]
    assert {fault.severity for fault in odd} == {"warning"}
    assert told == [(i, 40) for i in range(1, 41)]
    assert check(data_set, root).good  # it takes --deep to see that


def published(facts: Facts, healthy: Path) -> Facts:
    """The facts with the samples of the miniature as the published ones, 2 shots, seeds 1 and 2."""
    split, made = splits.read(healthy / facts.directory / facts.split_file, facts), {}
    for seed in (1, 2):
        drawn = draw_both([row.label for row in split.train], [row.label for row in split.val], 2, seed)
        for part, own, rows in (("train", split.train, drawn[0]), ("val", split.val, drawn[1])):
            made[f"2/{seed}/{part}"] = fingerprint([own[i].path for i in rows], [own[i].label for i in rows])
    return replace(facts, fingerprints=made)


def test_samples_are_compared_with_the_published_ones(healthy: Path, tmp_path: Path) -> None:
    facts = published(miniature.official(healthy, "dtd"), healthy)
    assert check(OnDisk(facts), healthy, shots=[2, 4], seeds=[1, 2, 3]).outcome(level("sampling")) == "2 of 2"
    assert check(OnDisk(facts), healthy).outcome(level("sampling")) == "not checked: no such sample is published"
    root = copied(healthy, tmp_path / "data", "dtd")
    miniature.self_made_split(root)
    fault = check(OnDisk(facts), root, shots=[2], seeds=[1, 2]).faults[-1]
    assert fault.level == level("sampling")
    assert "2 shots with seed" in fault.what


def test_split_files_alone_can_be_checked(healthy: Path, tmp_path: Path) -> None:
    facts = published(miniature.official(healthy, "dtd"), healthy)
    (tmp_path / "data/dtd").mkdir(parents=True)
    shutil.copy(healthy / "dtd" / facts.split_file, tmp_path / "data/dtd")
    report = check(OnDisk(facts), tmp_path / "data", deep=True, shots=[2], seeds=[1])
    assert [report.outcome(i) for i in range(8)] == [
        *("ok", "ok", "official", "ok", "1 fault", "ok"),
        *("not checked: there are no images", "1 of 1"),
    ]
    (fault,) = report.faults
    assert fault.files == ("dtd/images",)


def test_zero_shot_accuracy_is_compared_with_the_published_one(healthy: Path) -> None:
    trial = BackboneSpec("shapes")
    facts = replace(miniature.facts("dtd"), zero_shot={"base": Calibration(50.0, 3, 3), "new": Calibration(100.0, 6, 6)})
    before = entries(healthy)
    _, note = calibrate(facts, healthy, trial)
    counts = dict(part.split(" ") for part in note.split(", "))
    assert {half: count.endswith("/6") for half, count in counts.items()} == {"base": True, "new": True}
    reached = {half: 100 * int(count.removesuffix("/6")) / 6 for half, count in counts.items()}
    right = {half: Calibration(percent - 0.2, 0, 0) for half, percent in reached.items()}
    assert calibrate(replace(facts, zero_shot=right), healthy, trial) == ([], note)
    wrong = {half: Calibration(percent - 0.4, 0, 0) for half, percent in reached.items()}
    assert len(calibrate(replace(facts, zero_shot=wrong), healthy, trial)[0]) == 2
    assert entries(healthy) == before


def test_weights_that_cannot_be_had_are_one_line(healthy: Path) -> None:
    (fault,), note = calibrate(miniature.facts("dtd"), healthy, BackboneSpec("ViT-B-16-quickgelu", "nowhere.pt"))
    assert "nowhere.pt" in fault.what
    assert "\n" not in str(fault)
    assert note == ""


@pytest.fixture
def plugin(healthy: Path, make_distribution: MakeDistribution) -> Iterator[Path]:
    """A plugin whose data sets are miniatures that are official, with other names: `tiny-dtd`, `tiny-eurosat`, `tiny-food101`."""
    held = []
    for name in ("dtd", "eurosat", "food101"):
        target = {"base": Calibration(50.0, 3, 3), "new": Calibration(50.0, 3, 3)} if name == "dtd" else {}
        held.append(asdict(replace(miniature.official(healthy, name), name=f"tiny-{name}", zero_shot=target)))
    code = "import json\nfrom depthub import Facts, OnDisk, hookimpl\n@hookimpl\ndef depthub_datasets():\n"
    code += f"    return [OnDisk(Facts.of(facts)) for facts in json.loads({json.dumps(held)!r})]\n"
    installed.cache_clear()
    yield make_distribution("tiny-data", {"tiny": "tiny_data"}, {"tiny_data": code})
    installed.cache_clear()


def data_check(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str]:
    """Exit status and output of the command; it leaves nothing on stderr."""
    status = main(["data", "check", *map(str, args)])
    out, err = capsys.readouterr()
    assert err == ""
    return status, out


@pytest.mark.usefixtures("plugin")
def test_the_command_shows_a_line_a_data_set_and_its_faults(healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = copied(healthy, tmp_path / "data", "dtd")
    assert data_check(capsys, "tiny-dtd", "--data_root", root)[0] == 0
    copied(healthy, root, "eurosat")
    miniature.truncated_split(root)
    before = entries(root)
    status, out = data_check(capsys, "tiny-dtd", "tiny-eurosat", "tiny-food101", "--data_root", root)
    assert status == 1
    lines = out.splitlines()
    assert lines[1].split() == ["tiny-dtd", "ok", "ok", "official", "ok", "ok", "ok"]
    assert lines[2].split() == ["tiny-eurosat", "ok", "fault", "-", "-", "-", "-"]
    assert "tiny-eurosat: fault, split file: eurosat/split_zhou_EuroSAT.json: is cut off after 700 bytes; " in out
    assert "tiny-food101: fault, layout: food-101: no such folder; `depthub data prepare tiny-food101 --from PATH` arranges" in out
    assert "not checked: zero shot: --zero_shot asks for it" in lines
    assert entries(root) == before


@pytest.mark.usefixtures("plugin")
def test_without_names_all_that_are_there_are_checked(healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = copied(healthy, tmp_path / "data", "eurosat")
    status, out = data_check(capsys, "--data_root", root, "--deep", "--json")
    assert status == 1  # as the published one, which has more images, it has faults
    told = json.loads(out)
    assert [report["data_set"] for report in told["data_sets"]] == ["eurosat", "tiny-eurosat"]
    assert "tiny-dtd" in told["absent"]
    assert [report["good"] for report in told["data_sets"]] == [False, True]
    assert told["data_sets"][1]["levels"][6] == {"level": 6, "name": "decoding", "outcome": "3 warnings"}
    assert {fault["severity"] for fault in told["data_sets"][1]["faults"]} == {"warning"}
    _, out = data_check(capsys, "--data_root", root)
    assert out.splitlines()[-1].startswith(f"not in {root}: caltech101, dtd, ")


@pytest.mark.usefixtures("plugin")
def test_a_folder_spelt_otherwise_counts_as_there(healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = copied(healthy, tmp_path / "data", "eurosat")
    miniature.other_case_of_folder(root)
    status, out = data_check(capsys, "--data_root", root)
    assert status == 1
    assert "tiny-eurosat: fault, layout: eurosat: no such folder; EuroSAT differs from it" in out


@pytest.mark.usefixtures("plugin")
def test_zero_shot_on_the_command_line(healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = copied(healthy, tmp_path / "data", "dtd")
    copied(healthy, root, "eurosat")
    _, out = data_check(capsys, "tiny-dtd", "tiny-eurosat", "--data_root", root, "--zero_shot", "--backbone.model", "shapes")
    (told,) = [line for line in out.splitlines() if line.startswith("tiny-dtd: zero shot: base ")]
    assert told.count("/6") == 2
    assert "not checked: zero shot of tiny-eurosat: no accuracy is published" in out
    miniature.self_made_split(root)
    _, out = data_check(capsys, "tiny-dtd", "--data_root", root, "--zero_shot")
    assert "not checked: zero shot: there are faults" in out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["check"], "give --data_root DIR, the folder that holds data sets on this machine"),
        (["check", "--data_root", "nowhere"], "no folder nowhere (--data_root); expected the folder that holds data sets"),
        (["check", "--data_root", str(Path(__file__).parent)], "(--data_root); `depthub data list` names the folders that are looked for"),
        (["list", "--data_root", "nowhere"], "no folder nowhere (--data_root); expected the folder that holds data sets"),
        (["check", "dtt", "--data_root", "."], "unknown data set 'dtt'; did you mean 'dtd'?"),
        (["check", "DescribableTextures", "--data_root", "."], "data set 'DescribableTextures' is called 'dtd' here"),
        (["check", "flowers-102", "--data_root", "."], "data set 'flowers-102' is called 'oxford_flowers' here"),
        (["prepare", "dtd", "--data_root", "."], "give --from PATH ..., the folders or archives that hold the data set"),
        (["prepare"], "missing: NAME; `depthub data --help` shows the usage"),
        (["list", "--deep"], "unknown option '--deep'; did you mean '--help'?"),
        (["chek"], "chek"),
    ],
)
def test_mistakes_are_one_line(args: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *args]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_the_list_says_what_there_is(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list", "--json", "--data_root", str(healthy)]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows.keys() >= set(miniature.CLASSES)
    assert rows["dtd"]["found"] == str(healthy / "dtd")
    assert [rows["dtd"][key] for key in ("classes", "train", "val", "test", "template")] == [47, 2820, 1128, 1692, "{} texture."]
    assert main(["data", "list", "--data_root", str(healthy / "dtd")]) == 0
    out = capsys.readouterr().out
    assert "1,281,167" in out
    assert "non-commercial" in out


def test_no_torch_is_needed(healthy: Path) -> None:
    code = "import sys; from depthub.cli import main; status = main(sys.argv[1:])"
    code += "; sys.exit(', '.join({'torch', 'torchvision', 'open_clip', 'timm', 'pooch'} & set(sys.modules)) or status)"
    environ = {**os.environ, "DEPTHUB_LOAD_PLUGINS": ""}  # a third party's data sets may come with methods, hence with torch
    done = subprocess.run(
        [sys.executable, "-c", code, "data", "check", "--data_root", str(healthy)], capture_output=True, text=True, check=False, env=environ
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "fault, split file: dtd/" in done.stdout
