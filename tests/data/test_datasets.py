"""The published data sets in their users' folders, and the messages when something is wrong."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from depthub_kgcoop import KgCoOp

from depthub.cli import main
from depthub.data.dataset import contents
from depthub.data.fewshot import draw_both, few_shot
from depthub.data.listing import PLAIN_PATHS
from depthub.data.published import imagenet, splits
from depthub.data.published.on_disk import OnDisk
from depthub.errors import DepthubError
from depthub.registry.plugins import installed
from depthub.running.runner import resolve
from depthub.spec import BackboneSpec, DataSpec, RunSpec
from depthub.types import ClassSet
from tests import damage, miniature
from tests.miniature import CLASSES, IMAGENETS, TARGETS, alone, card, official, rows
from tests.models import random_backbone, write_backbone

SPLITS = [name for name in TARGETS if name != "fgvc_aircraft"]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with all data sets; not to be changed."""
    return miniature.make_all(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> BackboneSpec:
    return write_backbone(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No split file was downloaded on this machine."""
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "cache"))


def published(root: Path, name: str) -> OnDisk:
    """A data set with its miniature as the published form."""
    return OnDisk(official(root, name))


@pytest.mark.parametrize("name", CLASSES)
def test_every_layout_is_read_with_its_classes_labels_and_order(whole: Path, name: str) -> None:
    data = installed().get("datasets", name).load(whole)
    assert data.classes.names == tuple(text for text, _ in CLASSES[name])
    for examples, listed in ((data.train, rows(name)["train"]), (data.test, rows(name)["test"])):
        assert list(zip(examples.ids, examples.labels, strict=True)) == [(path, label) for path, label, _ in listed]
    assert [*(data.val.ids if data.val else ())] == [path for path, _, _ in rows(name)["val"]]
    assert {data.test.read(image).mode for image in data.train.ids + data.test.ids} == {"RGB"}  # CMYK, palette and gray ones as well
    assert (data.targets, data.variants) == (card(name).targets, card(name).variants)
    assert any(f"{len(CLASSES[name])} classes instead of" in note for note in data.notes)


def test_imagenet_and_its_variants_share_their_label_space(whole: Path) -> None:
    ids = {name: published(whole, name).load(whole).classes.ids for name in IMAGENETS}
    assert ids == {
        "imagenet": (0, 1, 2, 4, 6, 10, 11, 13, 988, 999),
        "imagenetv2": (0, 2, 10, 999),
        "imagenet_sketch": (0, 1, 6, 999),
        "imagenet_a": (6, 11, 13, 988),
        "imagenet_r": (1, 2, 4, 988),
    }
    every = ClassSet("imagenet", tuple(range(1000)), imagenet.class_names())
    for name in IMAGENETS:
        assert published(whole, name).load(whole).classes.rows_in(every) == list(ids[name])
    assert {published(whole, name).load(whole).classes.space for name in TARGETS} == set(TARGETS)


@pytest.mark.parametrize("name", CLASSES)
def test_the_published_form_has_nothing_to_note_but_an_order_that_is_not_published(whole: Path, name: str) -> None:
    data_set = published(whole, name)
    assert [note for note in data_set.load(whole).notes if "sorted file names" not in note] == []
    assert any("sorted file names" in note for note in data_set.load(whole).notes) == (name == "imagenet")


PLACES = [(name, other) for name in CLASSES for other in card(name).other_places]


@pytest.mark.parametrize(("name", "other"), PLACES, ids=[f"{name}-{other[0]}" for name, other in PLACES])
def test_other_tools_places_are_found(whole: Path, tmp_path: Path, name: str, other: tuple[str, str]) -> None:
    usual, (directory, images) = card(name), other
    shutil.copytree(whole / usual.directory, tmp_path / "kept", ignore=shutil.ignore_patterns(usual.images))
    shutil.copytree(whole / usual.directory / usual.images, tmp_path / directory / images)
    shutil.copytree(tmp_path / "kept", tmp_path / directory, dirs_exist_ok=True)
    assert OnDisk(usual).load(tmp_path).test.ids == OnDisk(usual).load(whole).test.ids
    assert OnDisk(usual).digest(tmp_path) == OnDisk(usual).digest(whole)


def test_nothing_is_written_and_other_peoples_files_are_ignored(whole: Path, tmp_path: Path) -> None:
    root = shutil.copytree(whole, tmp_path / "data")
    (root / "dtd/split_fewshot").mkdir()
    (root / "dtd/split_fewshot/shot_16-seed_1.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    (root / "imagenet/preprocessed.pkl").write_bytes(b"")
    (root / "imagenet/classnames.txt").write_text("n01440764 another name\n")
    (root / "imagenet-rendition/imagenet-r/.cache").mkdir()
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    for name in CLASSES:
        data_set = OnDisk(card(name))
        assert data_set.load(root).classes == data_set.load(whole).classes
        assert data_set.digest(root) == data_set.digest(whole)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_downloaded_split_file_is_used_if_there_is_none_beside_the_images(whole: Path, tmp_path: Path) -> None:
    root, data_set = alone(whole, "dtd", tmp_path), published(whole, "dtd")
    splits.download_folder().mkdir(parents=True)
    shutil.copy(root / "dtd" / data_set.card.split_file, splits.download_folder())
    damage.self_made_split(root)
    self_made = data_set.digest(root)
    (root / "dtd" / data_set.card.split_file).unlink()
    assert self_made != data_set.digest(root) == data_set.digest(whole)
    assert data_set.load(root).notes == ()


def test_files_left_behind_by_systems_are_skipped(whole: Path, tmp_path: Path) -> None:
    root, data_set = alone(whole, "imagenet", tmp_path), published(whole, "imagenet")
    before = data_set.load(root)
    damage.left_behind(root)
    assert OnDisk(data_set.card).load(root).train.ids == before.train.ids
    assert OnDisk(data_set.card).digest(root) == data_set.digest(whole)


def test_the_remedy_for_a_bad_split_file_works(whole: Path, tmp_path: Path) -> None:
    """The remedy moves the file beside the images away, since it comes before a downloaded one."""
    root, data_set = alone(whole, "dtd", tmp_path), published(whole, "dtd")
    split_file = root / "dtd" / data_set.card.split_file
    splits.download_folder().mkdir(parents=True)
    shutil.copy(split_file, splits.download_folder())
    damage.pointer_as_split(root)
    with pytest.raises(DepthubError, match="not a split file; move it away; `depthub data fetch-splits dtd` gets the official one"):
        data_set.load(root)
    split_file.rename(tmp_path / "away")
    assert data_set.load(root).notes == ()
    miniature.write_split(splits.download_folder() / split_file.name, {"train": [], "val": []})
    with pytest.raises(DepthubError, match="has no list 'test', expected train, val and test; `depthub data fetch-splits dtd` gets"):
        data_set.load(root)


def test_a_published_pictures_remedy_is_not_to_remove_it(whole: Path, tmp_path: Path) -> None:
    root = alone(whole, "oxford_flowers", tmp_path)
    damage.truncated_image(root)
    data = published(whole, "oxford_flowers").load(root)
    with pytest.raises(DepthubError, match=r"cannot read image .*; unpack it again, or "):
        data.test.read(data.test.ids[-1])


def test_contents_of_listed_images(whole: Path, tmp_path: Path) -> None:
    """Exchanged pictures change the contents' digest, but not the list's."""
    root, data_set = alone(whole, "dtd", tmp_path), published(whole, "dtd")
    data = data_set.load(root)
    first = contents(data.test)
    assert first == contents(data_set.load(whole).test) != contents(data.train)
    assert contents(data.test.take(list(range(len(data.test)))[::-1])) == first
    one, other = (root / "dtd/images" / data.test.ids[row] for row in (0, -1))
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)
    assert contents(data.test) != first
    assert data_set.digest(root) == data_set.digest(whole)
    lines = sorted(f"{name}\t{data.test.read.fingerprint(name)}\n" for name in data.test.ids)  # type: ignore[attr-defined]
    assert contents(data.test) == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert contents(replace(data.test, read=len)) == ""  # type: ignore[arg-type]


# Damage by name: the function, the data set, and a part of the message.
DAMAGE: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "sketch not renamed": (damage.sketch_not_renamed, "imagenet_sketch", "imagenet-sketch/sketch must be called images: rename it"),
    "web page": (damage.web_page_as_split, "dtd", "is a web page, not a split file"),
    "cut split": (
        damage.truncated_split,
        "eurosat",
        "split_zhou_EuroSAT.json is cut off after 700 bytes; move it away; `depthub data fetch-splits eurosat`",
    ),
    "no split": (
        damage.no_split,
        "food101",
        "split_zhou_Food101.json cannot be read: No such file or directory; `depthub data fetch-splits food101`",
    ),
    "gap": (damage.labels_with_gap, "ucf101", "labels must be 0 to n-1 without gaps; missing, or below 0: 1"),
    "two names": (damage.two_names_for_a_label, "ucf101", "labels with several names: 0 (Apply_Eye_Makeup, Brush)"),
    "leak": (damage.image_in_train_and_test, "caltech101", "listed in train and in test: Faces/image_000"),
    "twice": (damage.image_twice, "caltech101", "listed twice in train: Faces/image_000"),
    "missing": (damage.missing_images, "sun397", "10 of 40 images of sun397 are missing or empty, the first"),
    "empty": (damage.empty_image, "stanford_cars", "1 of 40 images of stanford_cars are missing or empty, the first"),
    "cut image": (damage.truncated_image, "oxford_flowers", "cannot read image"),
    "case": (
        damage.other_case_of_images,
        "oxford_pets",
        "of 40 images of oxford_pets differ from the list in upper and lower case, the first",
    ),
    "case of folder": (damage.other_case_of_folder, "eurosat", "EuroSAT/2750 differs from it in upper and lower case: rename it"),
    "empty class": (damage.empty_class_folder, "imagenet", "class folders without images in"),
    "no class": (damage.no_class_folder, "imagenet", "images/val lacks class folders that the others have: n01443537"),
    "flat val": (damage.validation_images_in_one_folder, "imagenet", "images/val holds 0 class folders, expected 1000"),
    "strange class": (damage.strange_class_folder, "imagenet_r", "folders that are not classes of imagenet_r: n99999999"),
    "variant": (damage.unknown_variant, "fgvc_aircraft", "line 10: class 'Yak-24' is not in variants.txt; did you mean 'Yak-42'?"),
    "no list": (
        damage.no_list,
        "fgvc_aircraft",
        "images_variant_train.txt cannot be read: No such file or directory; it is part of the official archive",
    ),
    "billion": (
        damage.billion_labels,
        "dtd",
        "without gaps; missing, or below 0: 4, 5, 6 and 999999993 more; move it away; `depthub data fetch-splits dtd`",
    ),
    "absolute": (damage.absolute_path, "dtd", f"{PLAIN_PATHS}, from the folder of the images: /"),
    "dotted": (damage.dotted_path, "dtd", f"{PLAIN_PATHS}, from the folder of the images: ../images/banded/"),
    "here": (damage.here_path, "dtd", f"{PLAIN_PATHS}, from the folder of the images: ./banded/"),
    "doubled": (damage.doubled_path, "dtd", f"{PLAIN_PATHS}, from the folder of the images: banded//"),
    "backslash": (damage.backslash_path, "dtd", f"{PLAIN_PATHS}, from the folder of the images: banded\\banded_"),
    "pointer": (
        damage.pointer_as_split,
        "dtd",
        "is a Git LFS pointer instead of the file (`git lfs pull` gets the file), not a split file",
    ),
    "gzip": (damage.compressed_split, "dtd", "is compressed with gzip (unpack it), not a split file; move it away"),
    "gzip list": (
        damage.compressed_list,
        "fgvc_aircraft",
        "images_variant_test.txt is compressed with gzip (unpack it); it is part",
    ),
    "pointer in an image's place": (damage.pointer_as_image, "dtd", "1 of 40 images of dtd are not image files, the first"),
    "folder": (damage.folder_for_image, "dtd", ".jpg: it is a folder; `depthub data check dtd` lists all"),
    "circle": (damage.circle_for_image, "dtd", ".jpg: it is a link that leads in a circle; `depthub"),
    "pipe": (damage.pipe_for_image, "dtd", ".jpg: it is a named pipe; `depthub data check"),
}


@pytest.mark.parametrize(("spoil", "name", "says"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_reported_in_one_line(
    whole: Path,
    model: BackboneSpec,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    name: str,
    says: str,
) -> None:
    root = alone(whole, name, tmp_path)
    spoil(root)
    assert main([*command(name, root, model), "--runs", str(tmp_path / "runs"), "--protocol", "FewShot"]) == 2
    printed = capsys.readouterr().err.splitlines()
    assert [line for line in printed if says in line] == [printed[-1]]
    assert printed[-1].startswith("depthub: error: ")
    assert "Traceback" not in "".join(printed)


def command(name: str, root: Path, model: BackboneSpec) -> list[str]:
    options = ["--backbone.model", model.model, "--backbone.pretrained", model.pretrained, "--training.epochs", "1", "--shots", "2"]
    return ["run", "--data", name, "--data_root", str(root), *options]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "dtd"], "data set 'dtd' lies on disk; give --data_root DIR, the folder that holds dtd/"),
        (["--data", "dtd", "--data_root", "/nowhere"], "no folder /nowhere (--data_root); expected the folder that holds dtd/"),
        (["--data", "DescribableTextures"], "unknown data set 'DescribableTextures'; did you mean 'dtd'?"),
        (["--data", "oxford-iiit-pet"], "unknown data set 'oxford-iiit-pet'; did you mean 'oxford_pets'?"),
        (["--data", "Flowers102"], "unknown data set 'Flowers102'; did you mean 'oxford_flowers'?"),
        (["--data", "DTD"], "unknown data set 'DTD'; did you mean 'dtd'?"),
    ],
)
def test_a_wrong_name_or_place_is_reported_with_the_right_one(capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    assert main(["run", *arguments]) == 2
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_the_data_sets_own_folder_as_data_root(whole: Path) -> None:
    with pytest.raises(
        DepthubError, match=r"no folder .*dtd/dtd/images; --data_root is the folder that holds dtd/, not that folder itself"
    ):
        OnDisk(card("dtd")).load(whole / "dtd")
    with pytest.raises(
        DepthubError, match=r"no folder .*/ucf101/UCF-101-midframes for data set 'ucf101'; take the archive of middle frames"
    ):
        OnDisk(card("ucf101")).load(whole / "dtd/images")


def test_training_on_a_data_set_for_testing_is_refused(whole: Path) -> None:
    data = published(whole, "imagenet_a").load(whole)
    assert len(data.train) == 0
    with pytest.raises(DepthubError, match="test images only; train on another one"):
        few_shot(data, 16, 1)


@pytest.mark.parametrize(("name", "protocol"), [("dtd", "BaseToNew"), ("imagenet", "DomainGeneralization")])
def test_runs_end_to_end(
    whole: Path, model: BackboneSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, protocol: str
) -> None:
    assert main([*command(name, whole, model), "--protocol", protocol, "--runs", str(tmp_path / "runs")]) == 0
    (file,) = (tmp_path / "runs").rglob("run.json")
    document = json.loads(file.read_text())
    tasks = {"dtd": ["base", "new"], "imagenet": ["source", *card("imagenet").variants]}[name]
    numbers = {"dtd": [2 * 3] * 2, "imagenet": [10 * 3] + [4 * 3] * 4}[name]
    assert [(m["task"], m["n_total"]) for m in document["measurements"]] == list(zip(tasks, numbers, strict=True))
    assert document["spec"]["data"]["sha256"] == OnDisk(card(name)).digest(whole)
    assert [note for note in OnDisk(card(name)).load(whole).notes if note not in document["warnings"]] == []
    assert str(whole) not in file.read_text()
    assert f"{len(CLASSES[name])} classes instead of" in capsys.readouterr().err


def test_another_split_is_another_run_and_is_not_silent(whole: Path, model: BackboneSpec, tmp_path: Path) -> None:
    root = alone(whole, "dtd", tmp_path)
    spec = RunSpec(data=DataSpec("dtd"), backbone=model, shots=1)
    before = resolve(spec, whole)
    assert resolve(spec, root).run_id == before.run_id
    damage.same_content_other_bytes(root)
    assert resolve(spec, root).run_id == before.run_id
    damage.self_made_split(root)
    assert resolve(spec, root).run_id != before.run_id
    with pytest.raises(DepthubError, match="the files of data are not those of the spec"):
        resolve(before, root)
    dtd = official(whole, "dtd")
    assert OnDisk(dtd).load(whole).notes == ()
    assert OnDisk(dtd).load(root).notes == (
        "dtd: split_zhou_DescribableTextures.json is not the official one, so results cannot be compared with published ones",
    )


def test_embedded_data_sets_have_no_digest() -> None:
    assert {name: resolve(RunSpec(data=DataSpec(name))).data.sha256 for name in ("compose", "tones")} == {"compose": "", "tones": ""}
    assert RunSpec(data=DataSpec("dtd", sha256="ab")).without_places().data.name == "dtd"


def test_other_names_in_a_list_are_noted(whole: Path, tmp_path: Path) -> None:
    aircraft, root = official(whole, "fgvc_aircraft"), alone(whole, "fgvc_aircraft", tmp_path)
    damage.names_in_other_order(root)
    assert OnDisk(aircraft).load(root).notes == ("fgvc_aircraft: the class names, or their order, are not the published ones",)


# Samples and templates


def test_samples_are_drawn_as_published(whole: Path) -> None:
    """Against a second implementation of the published rule; the published split files are not part of the repository."""
    split = published(whole, "oxford_flowers").split(published(whole, "oxford_flowers").place(whole))
    random.seed(3)
    expected = []
    for part, shots in ((split.train, 4), (split.val, 2)):
        of_class: dict[int, list[str]] = {}
        for row in part:
            of_class.setdefault(row.label, []).append(row.path)
        expected.append([path for paths in of_class.values() for path in random.sample(paths, shots)])
    drawn = draw_both([row.label for row in split.train], [row.label for row in split.val], 4, 3)
    # two validation images per class are fewer than four, so that both are in the sample, in list order and without a draw
    assert [split.train[i].path for i in drawn[0]] == expected[0]
    assert Counter(split.val[i].label for i in drawn[1]) == Counter(dict.fromkeys(range(4), 2))
    data = published(whole, "oxford_flowers").load(whole)
    assert list(few_shot(data, 4, 3).ids) == expected[0]
    assert list(dict.fromkeys(few_shot(data, 4, 3).labels)) == [3, 0, 2, 1]  # the order of the list, not of the labels


def test_a_family_of_methods_has_its_own_template(whole: Path) -> None:
    classes = published(whole, "dtd").load(whole).classes
    assert (classes.template, classes.template_of("kgcoop"), classes.template_of("prograd"), classes.template_of("coop")) == (
        "{} texture.",
        "a photo of a {}, a type of texture.",
        "a texture of {}.",
        "{} texture.",
    )
    assert hash(classes.take([0, 1])) != hash(classes)
    assert classes.take([2, 3]).template_of("kgcoop") == classes.template_of("kgcoop")
    backbone = random_backbone()
    anchors = backbone.encode_sentences([f"a photo of a {name}, a type of texture." for name in classes.words])
    assert KgCoOp(backbone, classes).anchors.equal(anchors)
    assert not KgCoOp(backbone, classes, template=classes.template).anchors.equal(anchors)
