"""A user's own pictures as targets and variants; trees of domains; pictures in both training and test."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import depthub
from depthub import BackboneSpec, Component, DataSpec, DepthubError, RunResult, RunSpec, Training
from depthub.cli import main
from depthub.data.own.folder import Folder
from depthub.records.document import read
from depthub.running.resolving import Resolver
from tests import miniature
from tests.models import write_backbone

SHAPES = ("disc", "ring", "bar_code")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> BackboneSpec:
    return write_backbone(tmp_path_factory.mktemp("model"))


def write(folder: Path, classes: Sequence[str] = SHAPES, each: int = 4, shade: int = 0) -> Path:
    """A folder of class folders, with different pictures in all of them."""
    generator = np.random.default_rng(shade)
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            picture = np.full((20, 24, 3), (60 * label, shade, 40), np.uint8) + generator.integers(0, 40, (20, 24, 3), np.uint8)
            Image.fromarray(picture).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture
def domains(tmp_path: Path) -> Path:
    """Three domains of the same classes, at a private path; one class of one domain has one picture."""
    place = tmp_path / "private place/shapes"
    for shade, name in enumerate(("photo", "sketch", "paint")):
        write(place / name, shade=50 * shade)
    for i in range(1, 4):
        (place / "paint/ring" / f"{i}.png").unlink()
    return place


def spec_of(backbone: BackboneSpec, source: str | DataSpec, protocol: str, others: Sequence[str], **settings: Any) -> RunSpec:
    key = {"CrossDataset": "targets", "DomainGeneralization": "variants"}[protocol]
    return RunSpec(
        method="ZeroShot",
        data=source,
        protocol=Component(protocol, {key: list(others), **settings}),
        backbone=backbone,
        training=Training(epochs=1),
        shots=2,
    )


def totals(result: RunResult) -> dict[str, int]:
    return {task: count.n_total for task, count in result.counts.items()}


# Targets and variants


def test_domains_are_tested_on_all_of_their_pictures(backbone: BackboneSpec, domains: Path, tmp_path: Path) -> None:
    others = [f"folder:{domains}/sketch", f"folder:{domains}/paint"]
    spec = spec_of(backbone, f"folder:{domains}/photo", "DomainGeneralization", others)
    result = depthub.run(spec, runs=tmp_path / "runs")
    assert totals(result) == {"source": 6, "folder:sketch": 12, "folder:paint": 9}
    assert list(result.scores) == ["source", "folder:sketch", "folder:paint", "average"]
    assert set(result.spec.other_data) == {"folder:sketch", "folder:paint"}
    assert "folder:sketch: nothing divides it: all of its 12 pictures are tested" in result.warnings
    assert result.tasks["folder:sketch"].classes == result.tasks["source"].classes
    for path in (tmp_path / "runs").rglob("*"):
        assert path.is_dir() or b"private place" not in path.read_bytes()
    again = read(tmp_path / "runs" / result.spec.run_id)
    assert again.spec.run_id == result.spec.run_id == again.spec.without_places().run_id


def test_the_command_line_takes_them(
    backbone: BackboneSpec, domains: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = miniature.make_all(tmp_path / "data")
    write(tmp_path / "plants, dry [and] wet: all", ("oak", "elm"))
    monkeypatch.chdir(domains)
    line = ["--method", "ZeroShot", "--data", "folder:photo", "--protocol", "CrossDataset", "--data_root", str(root), "--shots", "2"]
    line += ["--backbone.model", backbone.model, "--backbone.pretrained", backbone.pretrained, "--runs", str(tmp_path / "runs")]
    targets = [f"folder:{tmp_path}/plants, dry [and] wet: all", "dtd"]
    assert main(["run", *line, "--protocol.targets", json.dumps(targets)]) == 0
    printed = capsys.readouterr()
    assert "private place" not in printed.out.replace(str(domains), "")
    (path,) = (tmp_path / "runs").glob("*/run.json")
    document = json.loads(path.read_text())
    assert document["spec"]["protocol"]["settings"] == {"targets": ["folder:plants, dry [and] wet: all", "dtd"]}
    assert set(document["spec"]["other_data"]) == {"dtd", "folder:plants, dry [and] wet: all"}
    assert main(["run", *line, "--protocol.targets", "[folder:../shapes/sketch/, dtd]"]) == 0
    assert "folder:sketch" in capsys.readouterr().out


def test_a_list_is_a_target(backbone: BackboneSpec, domains: Path, tmp_path: Path) -> None:
    rows = [f"sketch/{name}/{i}.png,{name},{'test' if i else 'train'}" for name in SHAPES for i in range(4)]
    (domains / "some.csv").write_text("\n".join(["path,label,split", *rows]))
    (domains / "tests.csv").write_text("\n".join(["path,label,split", *(row for row in rows if row.endswith("test"))]))
    (domains / "every.csv").write_text("\n".join(["path,label", *(row.rpartition(",")[0] for row in rows)]))
    targets = [f"list:{domains}/{name}.csv" for name in ("some", "tests", "every")]
    result = depthub.run(spec_of(backbone, f"folder:{domains}/photo", "CrossDataset", targets), runs=tmp_path / "runs")
    assert totals(result) == {"source": 6, "list:some.csv": 9, "list:tests.csv": 9, "list:every.csv": 12}


def test_the_digest_of_a_target_and_not_its_place_is_identity(backbone: BackboneSpec, domains: Path, tmp_path: Path) -> None:
    spec = spec_of(backbone, f"folder:{domains}/photo", "CrossDataset", [f"folder:{domains}/sketch"])
    first = Resolver()(spec).spec
    shutil.copytree(domains, tmp_path / "moved")
    moved = spec_of(backbone, f"folder:{tmp_path}/moved/photo", "CrossDataset", [f"folder:{tmp_path}/moved/./sketch/"])
    assert Resolver()(moved).spec.run_id == first.run_id
    assert Resolver()(first).spec.run_id == first.run_id
    Image.new("RGB", (20, 20)).save(tmp_path / "moved/sketch/disc/0.png")
    assert Resolver()(moved).spec.run_id != first.run_id
    with pytest.raises(DepthubError, match="the files of folder:sketch are not those of the spec"):
        Resolver()(replace(moved, other_data=first.other_data))


def test_one_last_name_for_two_places_is_refused(backbone: BackboneSpec, domains: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(domains / "sketch", tmp_path / "other/sketch")
    targets = [f"folder:{domains}/sketch", f"folder:{copy}"]
    with pytest.raises(DepthubError, match="are both 'folder:sketch' without their paths") as caught:
        Resolver()(spec_of(backbone, f"folder:{domains}/photo", "CrossDataset", targets))
    assert "\n" not in str(caught.value)
    with pytest.raises(DepthubError, match="are both 'folder:sketch'"):
        Resolver()(spec_of(backbone, targets[0], "CrossDataset", targets[1:]))
    (tmp_path / "sketched").symlink_to(copy)  # the remedy
    linked = spec_of(backbone, f"folder:{domains}/photo", "CrossDataset", [targets[0], f"folder:{tmp_path}/sketched"])
    assert set(Resolver()(linked).spec.other_data) == {"folder:sketch", "folder:sketched"}
    with pytest.raises(DepthubError, match="two test tasks named 'folder:sketch'"):
        Resolver()(spec_of(backbone, f"folder:{domains}/photo", "CrossDataset", [targets[0], f"{targets[0]}/"]))


def test_a_variant_is_matched_by_the_words_of_its_classes(backbone: BackboneSpec, domains: Path, tmp_path: Path) -> None:
    write(tmp_path / "some", ("Ring", "bar code"))
    write(tmp_path / "strange", ("ring", "disk", "square"))
    spec = spec_of(backbone, f"folder:{domains}/photo", "DomainGeneralization", [f"folder:{tmp_path}/some"])
    (stage,) = Resolver()(spec).stages
    assert stage.train.classes.names == ("bar_code", "disc", "ring")
    assert stage.tests[1].classes == stage.train.classes.take([2, 0])
    assert [stage.tests[1].examples.ids[i].partition("/")[0] for i in (0, 4)] == ["Ring", "bar code"]
    assert stage.tests[1].examples.labels == (0,) * 4 + (1,) * 4
    strange = spec_of(backbone, f"folder:{domains}/photo", "DomainGeneralization", [f"folder:{tmp_path}/strange"])
    with pytest.raises(DepthubError) as caught:
        Resolver()(strange)
    assert str(caught.value) == (
        "'folder:strange' is not a variant of the source: some of its classes are not in 'folder:photo': disk, square; "
        "did you mean 'disc'?; use CrossDataset for it"
    )


def test_the_source_is_a_variant_of_itself(backbone: BackboneSpec, domains: Path) -> None:
    spec = spec_of(backbone, f"folder:{domains}/photo", "DomainGeneralization", [f"folder:{domains}/photo", f"folder:{domains}/paint"])
    resolved = Resolver()(spec)
    assert [task.name for task in resolved.stages[0].tests] == ["source", "folder:photo", "folder:paint"]
    assert set(resolved.spec.other_data) == {"folder:paint"}
    with pytest.raises(DepthubError, match="target 'folder:photo' has the label space of the source"):
        Resolver()(spec_of(backbone, f"folder:{domains}/photo", "CrossDataset", [f"folder:{domains}/photo"]))


def test_own_pictures_beside_a_published_source(backbone: BackboneSpec, domains: Path, tmp_path: Path) -> None:
    root = miniature.make_all(tmp_path / "data")
    spec = spec_of(backbone, "dtd", "CrossDataset", [f"folder:{domains}/sketch", "eurosat"])
    resolved = Resolver(root)(spec)
    assert [task.name for task in resolved.stages[0].tests] == ["source", "folder:sketch", "eurosat"]
    assert "private place" not in json.dumps(resolved.spec.without_places().as_dict())
    names = [name for name, _ in miniature.CLASSES["dtd"]]
    write(tmp_path / "my textures", names[1:3])
    variant = spec_of(backbone, "dtd", "DomainGeneralization", [f"folder:{tmp_path}/my textures"])
    (stage,) = Resolver(root)(variant).stages
    assert stage.tests[1].classes == stage.train.classes.take([1, 2])


# Trees of domains


def test_a_tree_of_domains_is_refused_with_options_that_work(
    backbone: BackboneSpec, domains: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (domains / "readme.txt").write_text("three domains")
    (domains / "photo/index.csv").write_text("a list beside the class folders is not a picture")
    with pytest.raises(DepthubError) as caught:
        Folder(domains).load()
    message = str(caught.value)
    assert message.startswith(f"{domains} holds paint, photo, sketch, and each of them bar_code, disc, ring: if these are domains")
    assert "\n" not in message
    options = re.search(r"`(--data .*?)`", message)
    assert options
    more = ["--method", "ZeroShot", "--shots", "1", "--runs", str(tmp_path / "runs"), "--test_fraction", "0.25"]
    more += ["--backbone.model", backbone.model, "--backbone.pretrained", backbone.pretrained]
    for i in range(1, 4):  # the source needs a picture to train on and one to test on
        shutil.copy(domains / "paint/disc" / f"{i}.png", domains / "paint/ring" / f"{i}.png")
    assert main(["run", *shlex.split(options[1]), "--protocol", "DomainGeneralization", *more]) == 0
    out = capsys.readouterr().out
    assert "folder:photo" in out
    assert "folder:sketch" in out


@pytest.mark.parametrize("part", ["train", "test"])
def test_domains_within_parts_are_refused_too(domains: Path, tmp_path: Path, part: str) -> None:
    shutil.copytree(domains, tmp_path / "data" / part)
    other = {"train": "test", "test": "train"}[part]
    write(tmp_path / "data" / other, ("paint", "photo", "sketch"))
    with pytest.raises(DepthubError, match=rf"data/{part} holds paint, photo, sketch, and each of them"):
        Folder(tmp_path / "data").load()


def test_classes_that_are_divided_further_are_read_where_it_is_plain(tmp_path: Path) -> None:
    for name, inner in (("cat", ("black", "white")), ("dog", ("large", "small"))):
        write(tmp_path / "different" / name, inner)
    assert Folder(tmp_path / "different").load().classes.names == ("cat", "dog")
    for name in ("cat", "dog"):
        write(tmp_path / "loose" / name, ("indoors", "outdoors"))
        Image.new("RGB", (9, 9), "red").save(tmp_path / "loose" / name / "one more.png")
    assert Folder(tmp_path / "loose").load().classes.names == ("cat", "dog")
    for name in ("cat", "dog"):
        write(tmp_path / "one" / name, ("pictures",))
    assert Folder(tmp_path / "one").load().classes.names == ("cat", "dog")


# The same picture twice


def test_training_pictures_among_the_test_pictures_are_noted(tmp_path: Path) -> None:
    for shade, part in enumerate(("train", "test")):
        write(tmp_path / "data" / part, shade=50 * shade)
    assert Folder(tmp_path / "data").load().notes == ()
    shutil.copy(tmp_path / "data/train/disc/2.png", tmp_path / "data/test/disc/9.png")
    (note,) = Folder(tmp_path / "data").load().notes
    assert (
        note
        == "folder:data: 1 test picture is also a training picture, the first test/disc/9.png, which is train/disc/2.png of folder:data"
    )
    shutil.copy(tmp_path / "data/train/ring/2.png", tmp_path / "data/test/disc/9.jpg")  # also in another class, under another suffix
    (note,) = Folder(tmp_path / "data").load().notes
    assert note.startswith("folder:data: 2 test pictures are also training pictures, the first test/disc/9.jpg")


def test_a_variant_that_holds_training_pictures_is_noted(backbone: BackboneSpec, domains: Path) -> None:
    shutil.copytree(domains / "photo", domains / "copy")
    spec = spec_of(backbone, f"folder:{domains}/photo", "DomainGeneralization", [f"folder:{domains}/copy", f"folder:{domains}/paint"])
    notes = [note for note in Resolver()(spec).notes if "training picture" in note]
    (note,) = notes
    assert note.startswith("folder:copy: 6 test pictures are also training pictures, the first ")
    assert note.endswith("of folder:photo")


# An unreadable picture, in any process


@pytest.mark.parametrize(
    "more", [[], ["--workers", "2"], ["--workers", "2", "--training.augmentation", "none", "--image_cache", "{}/images"]]
)
@pytest.mark.parametrize("method", [["--method", "CoOp"], ["--method", "VPT", "--method.depth", "2"]], ids=["frozen", "tuned"])
def test_a_picture_cut_off_is_one_line(
    backbone: BackboneSpec, tmp_path: Path, method: list[str], more: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "data")
    for path in (tmp_path / "data/disc").iterdir():
        path.write_bytes(path.read_bytes()[:-300])
    line = ["--data", f"folder:{tmp_path}/data", "--protocol", "FewShot", "--runs", str(tmp_path / "runs"), "--training.epochs", "1"]
    line += ["--backbone.model", backbone.model, "--backbone.pretrained", backbone.pretrained]
    assert main(["run", *line, *method, *(word.format(tmp_path) for word in more)]) == 2
    (error,) = [line for line in capfd.readouterr().err.splitlines() if "error" in line.lower()]
    assert re.fullmatch(r"depthub: error: cannot read image .*data/disc/\d\.png: image file is truncated; replace the file .*", error)
    assert main(["data", "check", f"folder:{tmp_path}/data"]) == 1
