"""Class names and the template of a user's own pictures: from a file or from Python, and as a part of a run's identity."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import depthub
from depthub import BackboneSpec, Component, DataSpec, DepthubError, RunSpec, Training
from depthub.cli import main
from depthub.data.own.naming import read_names
from depthub.records.document import read
from depthub.running.resolving import Resolver
from depthub.running.runner import resolve
from tests.models import COLOURS, write_backbone, write_pictures

LABELS = sorted(COLOURS)
NAMES = {"blue": "sea", "gray": "old_stone", "green": "grass", "red": "brick", "yellow": "sand"}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> BackboneSpec:
    return write_backbone(tmp_path_factory.mktemp("model"))


@pytest.fixture
def spec(backbone: BackboneSpec, tmp_path: Path) -> RunSpec:
    return RunSpec(method="ZeroShot", data=write_pictures(tmp_path / "colours"), backbone=backbone, training=Training(epochs=1), shots=2)


def changed(spec: RunSpec, **data: Any) -> RunSpec:
    return replace(spec, data=replace(spec.data, **data))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("names.csv", "label,name\nred,brick\nblue, sea \n", {"red": "brick", "blue": "sea"}),
        ("names.csv", 'number,name,label\n1,"brick, old",red\n', {"red": "brick, old"}),
        ("names.CSV", "name\nbrick\nsea\n", ["brick", "sea"]),
        ("names.csv", "\ufefflabel,name\r\nred,brick\r\n", {"red": "brick"}),
        ("names.json", '{"red": "brick"}', {"red": "brick"}),
        ("names.json", '["brick", "sea"]', ["brick", "sea"]),
    ],
)
def test_a_file_of_names(tmp_path: Path, name: str, text: str, expected: object) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_names(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("names.txt", b"a\nb", "ends in '.txt', expected .csv or .json"),
        ("names.csv", b"red,brick\nblue,sea\n", "has the columns red, brick; expected CSV with the columns label and name"),
        ("names.csv", b"label,nmae\nred,brick\n", "did you mean 'nmae'"),
        ("names.csv", b"label,name\nred,brick\nred,sea\n", "line 3: the label 'red' has a name already"),
        ("names.csv", b"label,name\nred\n", "line 2 has 1 fields instead of 2"),
        ("names.csv", b"label,name\n", "holds no names"),
        ("names.csv", b"", "is empty"),
        ("names.csv", b"name\n\xff\n", "is not UTF-8"),
        ("names.json", b'{"red": "brick", "red": "sea"}', "is not JSON: the key 'red' is there twice"),
        ("names.json", b'{"red": 3}', "holds no names; expected CSV"),
        ("names.json", b'{"red": ["brick"]}', "holds no names"),
        ("names.json", b'"red"', "holds no names"),
        ("names.json", b"{}", "holds no names"),
        ("names.json", b"{", "is not JSON"),
    ],
)
def test_files_without_names_are_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DepthubError) as caught:
        read_names(tmp_path / name)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(DepthubError, match=r"cannot read class_names .*absent\.csv: No such file"):
        read_names(tmp_path / "absent.csv")


@pytest.mark.parametrize("names", [NAMES, [NAMES[label] for label in LABELS]])
def test_names_and_template_make_the_sentences(spec: RunSpec, names: object, tmp_path: Path) -> None:
    result = depthub.run(changed(spec, class_names=names, template="{}, a colour."), runs=tmp_path / "runs")
    base, new = result.tasks["base"], result.tasks["new"]
    assert base.classes.names == ("sea", "old stone", "grass")
    assert [*base.sentences[0], *new.sentences[0]] == [f"{NAMES[label].replace('_', ' ')}, a colour." for label in LABELS]
    again = read(tmp_path / "runs" / result.spec.run_id).spec
    assert again.data.template == "{}, a colour."
    assert again.data.class_names == {label: name.replace("_", " ") for label, name in NAMES.items()}
    assert again.run_id == result.spec.run_id


def test_equal_names_are_one_run_and_others_are_another(spec: RunSpec) -> None:
    plain = resolve(spec).run_id
    for same in (
        {"class_names": {}},
        {"class_names": []},
        {"class_names": {label: label for label in LABELS}},
        {"class_names": LABELS},
        {"template": "a photo of a {}."},
    ):
        assert resolve(changed(spec, **same)).run_id == plain
    renamed = resolve(changed(spec, class_names=NAMES)).run_id
    assert renamed != plain
    assert resolve(changed(spec, class_names=[NAMES[label] for label in LABELS])).run_id == renamed
    assert resolve(changed(spec, class_names={**NAMES, "gray": " old  stone"})).run_id == renamed
    assert resolve(resolve(changed(spec, class_names=NAMES))).run_id == renamed
    assert resolve(changed(spec, class_names={**NAMES, "gray": "new stone"})).run_id != renamed
    assert resolve(changed(spec, template="a drawing of a {}.")).run_id != plain
    assert DataSpec().as_dict().keys() == {"name", "test_fraction", "sha256"}


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({**NAMES, "blau": "sea"}, "class_names has 'blau', which is not a class of folder:.*colours; did you mean 'blue'"),
        ({label: NAMES[label] for label in LABELS[2:]}, "class_names does not name blue, gray of folder:"),
        ({**NAMES, "red": "grass"}, "class_names calls 'green' and 'red' the same, 'grass'"),
        ({**NAMES, "red": "Grass "}, "classes 'grass' and 'Grass ' are the same words"),
        ({**NAMES, "red": "_"}, "class name '_' has no words"),
        (
            ["sea", "stone"],
            "class_names has 2 names, but folder:.* has 5 classes; expected one name for each, in the order blue, gray, green",
        ),
        ({**NAMES, "red": 3}, "data.class_names is 3, expected text"),
        ("names.csv", "data.class_names is 'names.csv', expected names by folder"),
    ],
)
def test_names_that_cannot_be(spec: RunSpec, names: object, says: str) -> None:
    with pytest.raises(DepthubError, match=says) as caught:
        resolve(changed(spec, class_names=names))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("template", ["a photo.", "a {name}.", "{} and {", "{0} {1}"])
def test_a_template_without_the_class_is_refused(template: str) -> None:
    with pytest.raises(DepthubError, match=r"does not name the class; expected \{\} where the name stands"):
        DataSpec("folder:x", template=template)


@pytest.mark.parametrize(("setting", "value"), [("template", "a {}."), ("class_names", {"a": "b"})])
def test_published_data_has_its_own(setting: str, value: object) -> None:
    with pytest.raises(DepthubError, match=rf"{setting} is for folder:PATH and list:FILE only; data set 'tones' has .* of its own"):
        resolve(RunSpec(data=DataSpec("tones", **{setting: value})))


def command(spec: RunSpec, tmp_path: Path, *more: str) -> list[str]:
    common = ["run", "--method", "ZeroShot", "--data", spec.data.name, "--shots", "2", "--runs", str(tmp_path / "runs")]
    return [*common, "--backbone.model", spec.backbone.model, "--backbone.pretrained", spec.backbone.pretrained, *more]


def test_the_command_line(spec: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("depthub.running.recall.FRESH", 0)
    (tmp_path / "secret names.csv").write_text("label,name\n" + "".join(f"{label},{name}\n" for label, name in NAMES.items()))
    (tmp_path / "config.yaml").write_text(f'class_names: {tmp_path}/secret names.csv\ntemplate: "a {{}} wall."\n')
    line = command(spec, tmp_path, "--config", str(tmp_path / "config.yaml"))
    assert main(line) == 0
    (path,) = (tmp_path / "runs").glob("*/run.json")
    assert "secret" not in path.read_text()
    stored = json.loads(path.read_text())["spec"]["data"]
    assert stored["class_names"]["red"] == "brick"
    assert stored["template"] == "a {} wall."
    assert main(line) == 0
    assert "already done" in capsys.readouterr().out
    (tmp_path / "secret names.csv").write_text((tmp_path / "secret names.csv").read_text().replace("brick", "tile"))
    assert main(line) == 0
    assert "already done" not in capsys.readouterr().out
    assert len(list((tmp_path / "runs").glob("*/run.json"))) == 2
    assert main([*line, "--template", "a wall"]) == 2
    assert capsys.readouterr().err.startswith("depthub: error: the template 'a wall' does not name the class; expected {}")
    assert main([*line, "--class_names", str(tmp_path / "none.csv")]) == 2
    assert "cannot read class_names" in capsys.readouterr().err


def test_names_of_the_source_hold_for_the_same_folders_of_a_variant(spec: RunSpec, tmp_path: Path) -> None:
    write_pictures(tmp_path / "paler", classes=3)
    variants = Component("DomainGeneralization", {"variants": [f"folder:{tmp_path}/paler"]})
    resolved = Resolver()(replace(changed(spec, class_names=NAMES, template="{}."), protocol=variants))
    (stage,) = resolved.stages
    assert stage.tests[1].classes == stage.train.classes.take([0, 2, 3])
    assert stage.tests[1].classes.sentences() == ["sea.", "grass.", "brick."]
    targets = Component("CrossDataset", {"targets": [f"folder:{tmp_path}/paler"]})
    (stage,) = Resolver()(replace(changed(spec, class_names=NAMES, template="{}."), protocol=targets)).stages
    assert stage.tests[1].classes.sentences() == ["a photo of a sea.", "a photo of a grass.", "a photo of a brick."]


def test_a_list_has_names_too(spec: RunSpec, tmp_path: Path) -> None:
    rows = [f"colours/train/{label}/{i}.png,{label}" for label in ("red", "blue") for i in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    named = changed(spec, name=f"list:{tmp_path}/list.csv", class_names={"red": "brick", "blue": "sea"})
    (stage,) = Resolver()(replace(named, protocol=Component("FewShot"))).stages
    assert stage.train.classes.names == ("sea", "brick")
