"""Runs with class texts: what they read, what their files hold, and what is refused before any work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import depthub
from depthub import ClassSet, Component, DataSpec, DepthubError, RunSpec, TextsSpec, Training
from depthub.boundary import check_data
from depthub.cli import main
from depthub.registry.plugins import installed
from depthub.running.resolving import Resolver
from depthub.suites.description import described
from depthub.suites.reading import read_suite
from depthub.testing import toy
from tests.class_texts import write
from tests.models import COLOURS, random_backbone, write_backbone, write_pictures

SPACE = "folder:colours"
TEXTS = {name: [f"a picture in {name}.", f"{name}, and nothing else."][: 1 + place % 2] for place, name in enumerate(COLOURS)}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_pictures(folder / "colours")
    write_backbone(folder / "model")
    return folder


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "private place").mkdir()
    return write(tmp_path / "private place/mine.json", texts={SPACE: TEXTS})


def command(small: Path, runs: Path, *more: str) -> list[str]:
    model = small / "model/tiny_clip"
    weights = ["--backbone.model", f"{model}.json", "--backbone.pretrained", f"{model}.safetensors"]
    return ["run", "--method", "ZeroShot", "--data", f"folder:{small / 'colours'}", *weights, "--shots", "1", "--runs", str(runs), *more]


def spec(small: Path, texts: Path | None, **changes: Any) -> RunSpec:
    model = small / "model/tiny_clip"
    common = {
        "method": Component("ZeroShot", {"texts": True}),
        "data": DataSpec(f"folder:{small / 'colours'}"),
        "backbone": depthub.BackboneSpec(f"{model}.json", f"{model}.safetensors"),
        "training": Training(epochs=1, batch_size=4),
        "shots": 1,
        **changes,
    }
    return RunSpec(**common, texts=None if texts is None else TextsSpec(str(texts)))


def test_a_run_file_has_the_name_and_the_digest_and_other_texts_are_another_run(small: Path, texts: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert main(command(small, runs)) == 0
    assert main(command(small, runs, "--texts", str(texts))) == 0
    assert main(command(small, runs, "--texts", str(texts), "--method.texts", "true")) == 0
    first = json.loads(texts.read_text())["sha256"]
    write(texts, texts={SPACE: {**TEXTS, "red": ["blue and gray stripes."]}})
    assert main(command(small, runs, "--texts", str(texts), "--method.texts", "true")) == 0
    second = json.loads(texts.read_text())["sha256"]
    files = [json.loads(path.read_text()) for path in runs.glob("*/run.json")]
    assert sorted((str(f["spec"].get("texts")), f["spec"]["method"]["settings"].get("texts", False)) for f in files) == sorted(
        [
            ("None", False),
            (str({"name": "mine.json", "sha256": first}), False),
            (str({"name": "mine.json", "sha256": first}), True),
            (str({"name": "mine.json", "sha256": second}), True),
        ]
    )
    assert not [f for f in files if "private place" in json.dumps({key: f[key] for key in ("spec", "class_sets")})]
    assert not [f for f in files if "and nothing else" in json.dumps(f["class_sets"])]
    assert {path.name for path in runs.iterdir() if path.is_dir() and not path.name.startswith(".")} == {f["run_id"] for f in files}


def test_zero_shot_by_texts_counts_otherwise_on_the_embedded_board(tmp_path: Path) -> None:
    common: dict[str, Any] = {"data": DataSpec("weaves"), "shots": 1, "texts": "shapes"}
    by_template, by_texts = (
        depthub.run(RunSpec(method=Component("ZeroShot", {"texts": on}), **common), runs=tmp_path) for on in (False, True)
    )
    assert by_texts.counts != by_template.counts
    assert by_texts.spec.texts == TextsSpec("shapes", depthub.read(by_texts.folder or Path()).spec.texts.sha256)  # type: ignore[union-attr]
    again = depthub.reproduce(by_texts.folder or Path(), runs=tmp_path / "again")
    assert (again.differences, again.agrees) == ((), True)


def test_without_texts_specs_are_what_they_were(small: Path) -> None:
    plain = spec(small, None, method=Component("ZeroShot"))
    assert "texts" not in plain.as_dict()
    resolved = Resolver()(plain).spec
    assert "texts" not in {**resolved.as_dict(), **resolved.method.settings}
    assert RunSpec.of(spec(small, Path("x.json")).as_dict()).texts == TextsSpec("x.json")
    with pytest.raises(DepthubError, match=r"^texts\.name is ''"):
        RunSpec(texts="")  # type: ignore[arg-type]


def test_features_are_the_mean_of_each_class(small: Path) -> None:
    backbone = random_backbone()
    classes = ClassSet("s", (0, 1), ("cat", "dog"), texts=(("a cat.", "it purrs."), ("it barks.",)))
    method = installed().get("methods", "ZeroShot")(backbone, classes, texts=True)
    text = method.features(backbone, toy.images(1)[0].double(), classes).text
    cat, purrs, barks = (backbone.encode_sentences([sentence])[0] for sentence in ("a cat.", "it purrs.", "it barks."))
    assert text[0].allclose((cat / cat.norm() + purrs / purrs.norm()) / 2)
    assert text[1].allclose(barks / barks.norm())


def refused(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """The error of a command that computes nothing."""
    runs = tmp_path / "runs"
    assert main(command(small, runs, *more)) == 2
    assert not list(runs.glob("*/run.json"))
    return capsys.readouterr().err.splitlines()[-1]


def test_what_is_refused_before_any_work(small: Path, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error(*more: str) -> str:
        return refused(small, tmp_path, capsys, *more)

    assert error("--method.texts", "true").endswith(
        "ZeroShot: texts is true, but the run has no texts of its classes; give a file with --texts"
    )
    assert "no class texts 'shape': neither a file nor the name of a plugin's; did you mean 'shapes'?" in error("--texts", "shape")
    write(texts, texts={SPACE: {name: of for name, of in TEXTS.items() if name != "gray"}})
    assert error("--texts", str(texts)).endswith(f"{texts}: texts.{SPACE}: no text for class 'gray', expected one at least")
    write(texts, texts={SPACE: {**TEXTS, "gray": ["gray " * 60 + "all over."]}})
    assert error("--texts", str(texts)).endswith("gray[0] has 65 tokens, the text tower reads 40: shorten it")
    assert not list(tmp_path.glob("runs/*/tuned-0.safetensors"))
    assert "no class texts 'xxx" in error("--texts", "x" * 300)


def test_every_target_needs_texts(small: Path, texts: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "shades", classes=3)
    across = spec(small, texts, protocol=Component("CrossDataset", {"targets": [f"folder:{tmp_path / 'shades'}"]}))
    with pytest.raises(DepthubError, match="has no texts for label space 'folder:shades'; known: folder:colours"):
        Resolver()(across)
    write(texts, texts={SPACE: TEXTS, "folder:shades": {name: ["a shade."] for name in ("red", "green", "blue")}})
    tasks = {task.name: task.classes for task in Resolver()(across).stages[0].tests}
    assert {of_class for classes in tasks.values() if classes.space != SPACE for of_class in classes.texts} == {("a shade.",)}


def test_a_result_is_used_with_the_same_texts_alone(small: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its classifier, and by the whole run once more."""
    result = depthub.run(spec(small, texts), runs=tmp_path / "runs")
    assert result.folder
    monkeypatch.chdir(tmp_path)
    places: dict[str, Any] = {"backbone": spec(small, None).backbone}
    with pytest.raises(DepthubError, match=r"^no class texts 'mine\.json': .*state the file with texts \(--texts\)"):
        depthub.load(result.folder, **places)
    trained = depthub.load(result.folder, **places, texts=str(texts))
    pictures = sorted((small / "colours/test/red").iterdir())
    assert trained.classify(pictures, task="base").class_names == result.tasks["base"].classes.names
    both = trained.classes(["gray", "Red"])
    assert both.texts == (tuple(TEXTS["gray"]), tuple(TEXTS["red"]))
    with pytest.raises(DepthubError, match="class_names has 'grey', of which the run's class texts say nothing; did you mean 'gray'"):
        trained.classes(["gray", "grey"])
    joint = depthub.rescore_jointly(trained, data=f"folder:{small / 'colours'}")
    assert joint
    again = depthub.reproduce(
        result.folder, runs=tmp_path / "again", data=f"folder:{small / 'colours'}", backbone=places["backbone"], texts=str(texts)
    )
    assert again.agrees
    write(texts, texts={SPACE: TEXTS}, source="somebody else")
    for use in (depthub.load, depthub.reproduce):
        with pytest.raises(DepthubError, match="these class texts are not those of the spec: sha256 "):
            use(result.folder, **places, texts=str(texts), **({} if use is depthub.load else {"data": f"folder:{small / 'colours'}"}))
    plain = depthub.run(spec(small, None, method="ZeroShot"), runs=tmp_path / "runs")
    with pytest.raises(DepthubError, match="has no class texts; leave texts"):
        depthub.load(plain, texts=str(texts))


def test_other_data_have_texts_of_the_same_file(small: Path, texts: Path, tmp_path: Path) -> None:
    shades = {name: [f"{name} it is."] for name in ("red", "green", "violet")}
    for data in ("shades", "tints"):
        write_pictures(tmp_path / data, classes=3)
        for part in ("train", "test"):
            (tmp_path / data / part / "blue").rename(tmp_path / data / part / "violet")
    write(texts, texts={SPACE: TEXTS, "folder:shades": shades})
    result = depthub.run(spec(small, texts), runs=tmp_path / "runs")
    assert result.folder
    trained = depthub.load(result.folder, backbone=spec(small, None).backbone, texts=str(texts))
    rescored = depthub.rescore(trained, f"folder:{tmp_path / 'shades'}")
    assert rescored.classes.texts == tuple(tuple(shades[name]) for name in rescored.classes.names)
    with pytest.raises(DepthubError, match=r"data set 'folder:.*tints' has 'violet', of which the run's class texts say nothing"):
        depthub.rescore(trained, f"folder:{tmp_path / 'tints'}")


def test_runs_with_other_texts_never_train_together(small: Path, texts: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.json", texts={SPACE: TEXTS}, source="somebody else")
    specs = [spec(small, path, method="CoOp", seed=seed) for path in (texts, other) for seed in (1, 2)]
    results = depthub.run_many(specs, runs=tmp_path / "runs")
    assert [result.provenance["execution"]["stacked"] for result in results] == [2, 2, 2, 2]


def test_data_sets_have_no_texts_of_their_own() -> None:
    data = toy.data("toys")
    with pytest.raises(DepthubError, match="its classes have texts, which no digest of it shows; a run takes them from a file"):
        check_data(replace(data, classes=toy.BASE), "toys")


def test_rows_of_a_suite_have_texts(tmp_path: Path) -> None:
    suite = tmp_path / "two.yaml"
    row = "{method: [ZeroShot, {name: ZeroShot, texts: true}], texts: ['', shapes]}"
    suite.write_text(f"board: {{protocol: BaseToNew, data: [weaves], seeds: [1]}}\nrows: [{row}]\nexclude: []\n")
    specs: Sequence[RunSpec] = read_suite(str(suite)).specs()
    assert [spec.texts for spec in specs] == [None, TextsSpec("shapes")] * 2
    lines = [described(Resolver()(spec)) for spec in specs]
    assert lines[0] == "ZeroShot on weaves, seed 1"
    assert lines[3].startswith("ZeroShot (texts True) on weaves, seed 1, texts shapes (")


def test_a_plugins_file_may_be_registered_for_the_session(tmp_path: Path) -> None:
    depthub.register(depthub.NamedTexts("of-this-test", str(write(tmp_path / "pets.json"))))
    with pytest.raises(DepthubError, match="has no texts for label space 'weaves'; known: pets"):
        Resolver()(RunSpec(data="weaves", texts=TextsSpec("of-this-test")))  # type: ignore[arg-type]
    installed.cache_clear()
