"""The tasks and scores of each protocol, and the sample in a run file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

import depthub
from depthub import BackboneSpec, ClassSet, Component, Count, Data, DataSpec, DepthubError, Examples, Features, Protocol, RunSpec, Training
from depthub.boards import board, markdown, of_folder
from depthub.cli import main
from depthub.cli.commands.run import parser, specs
from depthub.records.store import RunResult, read
from depthub.registry.plugins import installed
from depthub.running.runner import resolve
from tests.models import write_backbone, write_pictures

FIVE = ClassSet("five", (0, 1, 2, 3, 4), ("ant", "bee", "cat", "dog", "eel"))
SETTINGS: dict[str, dict[str, Any]] = {
    "CrossDataset": {"targets": ["other"]},
    "DomainGeneralization": {"variants": ["foggy", "some"]},
    "BaseToNew": {"epochs": [2]},
    "FewShot": {},
    "Oracle": {},
}


def see(name: str) -> Image.Image:
    return Image.new("RGB", (8, 8))


def examples(part: str, classes: int, number: int) -> Examples:
    """`number` images per class, all classes in turn."""
    labels = [label for _ in range(number) for label in range(classes)]
    return Examples(tuple(f"{part}/{row}" for row in range(len(labels))), tuple(labels), see)


SOURCE = Data(FIVE, examples("train", 5, 6), examples("test", 5, 3), targets=("other",), variants=("foggy", "some"))
FURTHER = {
    "other": Data(ClassSet("two", (0, 1), ("oak", "elm")), examples("train", 2, 0), examples("test", 2, 4)),
    "foggy": replace(SOURCE, test=examples("fog", 5, 2)),
    "some": Data(FIVE.take([3, 1]), examples("train", 2, 0), examples("some", 2, 2)),
    "foreign": Data(ClassSet("five", (3, 7), ("dog", "fox")), examples("train", 2, 0), examples("test", 2, 2)),
}


def protocol(name: str, **settings: Any) -> Protocol:
    instance: Protocol = installed().get("protocols", name)(**settings)
    return instance


def count(correct: int, total: int) -> Count:
    return Count(correct, total)


def test_a_shuffled_cut_divides_the_same_classes_and_sample_otherwise() -> None:
    stages = {cut: protocol("BaseToNew", cut=cut).stages(SOURCE, FURTHER.__getitem__, 2, 1)[0] for cut in ("published", 0, 1, 2)}
    halves: dict[Any, Any] = {cut: (stage.train.classes.ids, stage.tests[1].classes.ids) for cut, stage in stages.items()}
    assert halves["published"] == ((0, 1, 2), (3, 4))
    assert all(sorted((*base, *new)) == [0, 1, 2, 3, 4] and len(base) == 3 for base, new in halves.values())
    assert halves[2] == ((0, 2, 4), (1, 3))  # on every machine, with every Python
    assert len({stage.sample for stage in stages.values()}) == 1  # what is drawn does not depend on the cut


def test_cuts_and_samples_are_parts_of_a_run_apart_from_its_seed() -> None:
    spec = RunSpec(data="tones", seed=3)
    assert replace(spec, sample=3).run_id == spec.run_id
    published = replace(spec, protocol=Component("BaseToNew", {"cut": "published"}))
    assert resolve(published).run_id == resolve(spec).run_id  # ids from before there were cuts
    others = [replace(spec, sample=1), replace(spec, seed=1, sample=3), replace(spec, protocol=Component("BaseToNew", {"cut": 3}))]
    assert len({resolve(other).run_id for other in (spec, *others)}) == 4


@pytest.mark.parametrize("settings", [{}, {"targets": ["other"]}])
def test_cross_dataset(settings: dict[str, Any]) -> None:
    cross = protocol("CrossDataset", **settings)
    (stage,) = cross.stages(SOURCE, FURTHER.__getitem__, 2, 1)
    assert (stage.train.classes, len(stage.train.examples)) == (FIVE, 10)
    assert {task.name: (task.classes, len(task.examples)) for task in stage.tests} == {
        "source": (FIVE, 15),
        "other": (FURTHER["other"].classes, 8),
    }
    scores = cross.scores({"source": count(9, 15), "a": count(1, 4), "b": count(3, 8)})
    assert scores == {"source": 60.0, "a": 25.0, "b": 37.5, "average": 31.25}  # over targets, whatever their sizes
    assert list(scores)[-1] == "average"


@pytest.mark.parametrize("settings", [{}, {"variants": ["foggy", "some"]}])
@pytest.mark.parametrize("fused", [True, False])
def test_domain_generalization(settings: dict[str, Any], fused: bool) -> None:
    domains = protocol("DomainGeneralization", **settings, fused=fused)
    (stage,) = domains.stages(SOURCE, FURTHER.__getitem__, 2, 1)
    assert (stage.train.classes, len(stage.train.examples)) == (FIVE, 10)
    source, foggy, some = stage.tests
    assert (source.name, foggy.name, some.name) == ("source", "foggy", "some")
    assert source.classes.rows_in(FIVE) == [0, 1, 2, 3, 4]
    assert foggy.classes.rows_in(FIVE) == ([0, 1, 2, 3, 4] if fused else None)
    assert some.classes.rows_in(FIVE) == ([3, 1] if fused else None)
    assert some.classes.names == ("dog", "bee")
    scores = domains.scores({"source": count(3, 4), "foggy": count(1, 2), "some": count(1, 4)})
    assert scores == {"source": 75.0, "foggy": 50.0, "some": 25.0, "average": 37.5}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("balance", [0.7, 0.2])
def test_dept_reads_the_rows_of_a_variants_classes_if_it_may(fused: bool, balance: float) -> None:
    torch.manual_seed(0)
    (stage,) = protocol("DomainGeneralization", variants=["some"], fused=fused).stages(SOURCE, FURTHER.__getitem__, 1, 1)
    head = installed().get("heads", "DePT")(8, stage.train.classes, balance=balance)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    image, text = torch.randn(6, 8), torch.randn(2, 8)
    logits = head(Features(image, text, torch.tensor(3.0), stage.tests[1].classes))
    matching = 3.0 * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    cat = head.cat
    every = (image * cat.image.gamma + cat.image.beta) @ cat.classifier.weight.T + cat.classifier.bias
    expected = balance * every[:, [3, 1]] + (1 - balance) * matching if fused else matching
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("shots", [1, 3, 16])
def test_few_shot(shots: int) -> None:
    few = protocol("FewShot")
    (stage,) = few.stages(SOURCE, FURTHER.__getitem__, shots, 1)
    assert len(stage.train.examples) == 5 * min(shots, 6)
    assert [(task.classes, len(task.examples)) for task in stage.tests] == [(FIVE, 15)]
    assert few.scores({"all": count(12, 16)}) == {"accuracy": 75.0}


@pytest.mark.parametrize("name", SETTINGS)
def test_protocols_draw_the_same_images_and_record_the_sample(name: str) -> None:
    (stage,) = protocol(name, **SETTINGS[name]).stages(SOURCE, FURTHER.__getitem__, 2, 7)
    drawn = depthub.few_shot(SOURCE, 2, 7)
    assert stage.drawn == drawn
    assert set(stage.train.examples.ids) == {
        i for i, label in zip(drawn.ids, drawn.labels, strict=True) if name != "BaseToNew" or label < 3
    }
    assert replace(stage, sample=None).drawn == stage.train.examples


@pytest.mark.parametrize("name", SETTINGS)
def test_a_data_set_for_testing_only_is_not_a_source(name: str) -> None:
    with pytest.raises(DepthubError, match="has test images only") as caught:
        protocol(name, **SETTINGS[name]).stages(replace(SOURCE, train=examples("train", 5, 0)), FURTHER.__getitem__, 2, 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "settings", "source", "says"),
    [
        ("CrossDataset", {}, replace(SOURCE, targets=()), "'five' declares no targets; name data sets to test on"),
        (
            "CrossDataset",
            {"targets": ["foggy"]},
            SOURCE,
            "target 'foggy' has the label space of the source, 'five'; use Domain",
        ),
        ("DomainGeneralization", {}, replace(SOURCE, variants=()), "'five' declares no variants; name data sets to test on"),
        (
            "DomainGeneralization",
            {"variants": ["other"]},
            SOURCE,
            "'other' is not a variant of the source: some of its classes are not",
        ),
        ("DomainGeneralization", {"variants": ["foreign"]}, SOURCE, "'foreign' is not a variant of the source"),
        ("DomainGeneralization", {"variants": ["other"], "fused": False}, SOURCE, "'other' is not a variant of the source"),
    ],
)
def test_data_sets_that_do_not_fit(name: str, settings: dict[str, Any], source: Data, says: str) -> None:
    with pytest.raises(DepthubError) as caught:
        protocol(name, **settings).stages(source, FURTHER.__getitem__, 1, 1)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"targets": "digits"}, "targets is 'digits', expected a list of texts"),
        ({"targets": [1]}, r"targets is \[1\], expected a list of texts"),
        ({"target": ["digits"]}, "has no setting 'target'; did you mean 'targets'"),
    ],
)
def test_settings_that_are_not_lists_of_names(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(DepthubError, match=says):
        resolve(RunSpec(protocol=Component("CrossDataset", settings)))


def test_lists_survive_the_command_line_and_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = ["--protocol", "CrossDataset", "--protocol.targets", "[digits, weaves]"]
    (spec,) = specs(parser().parse_args(line))
    with pytest.raises(SystemExit):
        parser().parse_args([*line, "--print_config"])
    (tmp_path / "config.yaml").write_text(capsys.readouterr().out)
    (again,) = specs(parser().parse_args(["--config", str(tmp_path / "config.yaml")]))
    assert spec.protocol == again.protocol == Component("CrossDataset", {"targets": ["digits", "weaves"]})
    full = resolve(spec)
    assert RunSpec.of(json.loads(json.dumps(full.as_dict()))) == full
    assert hash(full) == hash(resolve(again))
    tuples = replace(spec, protocol=Component("CrossDataset", {"targets": ("digits", "weaves")}))
    assert resolve(tuples) == full
    assert resolve(replace(spec, protocol=Component("CrossDataset"))).protocol.settings == {"targets": []}
    reversed_ = replace(spec, protocol=Component("CrossDataset", {"targets": ["weaves", "digits"]}))
    assert resolve(reversed_).run_id != full.run_id


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    folder = tmp_path_factory.mktemp("small")
    data, backbone = write_pictures(folder / "colours"), write_backbone(folder / "model")
    return RunSpec(data=data, backbone=backbone, training=Training(epochs=1), shots=2, protocol=Component("FewShot"))


def test_run_files_hold_the_sample_over_all_classes(spec: RunSpec, tmp_path: Path) -> None:
    few = depthub.run(spec, runs=tmp_path)
    base = depthub.run(replace(spec, protocol=Component("BaseToNew")), runs=tmp_path)
    (all_classes,), (before_the_cut,) = few.samples, base.samples
    assert (all_classes.task, before_the_cut.task) == ("all", "base")
    assert (all_classes.ids, all_classes.labels) == (before_the_cut.ids, before_the_cut.labels)
    assert sorted(all_classes.labels) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    lines = "".join(f"{name}\t{label}\n" for name, label in zip(all_classes.ids, all_classes.labels, strict=True))
    assert all_classes.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    (path,) = tmp_path.glob(f"{base.spec.run_id}/run.json")
    assert read(path) == replace(base, spec=base.spec.without_places())
    assert json.loads(path.read_text())["samples"][0]["data"] == "folder:colours"
    assert base.provenance["data_sha256"] == {"folder:colours": base.spec.data.sha256}


def test_an_unknown_target_is_reported(spec: RunSpec, tmp_path: Path) -> None:
    unknown = replace(spec, protocol=Component("CrossDataset", {"targets": ["digit"]}))
    with pytest.raises(DepthubError, match="unknown data set 'digit'; did you mean 'digits'"):
        depthub.run(unknown, runs=tmp_path)


@pytest.mark.parametrize(
    ("line", "scores"),
    [
        (["--protocol", "BaseToNew"], ["base", "new", "H"]),
        (["--protocol", "FewShot"], ["accuracy"]),
        (["--protocol", "Oracle"], ["base", "new", "H", "base of all", "new of all", "H of all"]),
        (["--protocol", "CrossDataset", "--protocol.targets", "[weaves]"], ["source", "weaves", "average"]),
        pytest.param(
            ["--data", "compose", "--protocol", "DomainGeneralization", "--protocol.variants", "[compose-a]"],
            ["source", "compose-a", "average"],
            marks=pytest.mark.slow,  # 3,072 test images
        ),
    ],
)
def test_the_command_line_on_the_embedded_data(line: list[str], scores: list[str], tmp_path: Path) -> None:
    assert main(["run", *line, "--head", "DePT", "--shots", "1", "--training.epochs", "1", "--runs", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("*/run.json")
    result = read(path)
    assert list(result.scores) == scores
    assert len(result.samples[0].ids) == len(set(result.samples[0].labels))
    percent = {task: c.percent for task, c in result.counts.items()}
    assert all(result.scores[task] == percent[task] for task in percent if task in scores)


def _result(protocol: Component, data: str, scores: dict[str, float], method: str = "CoOp") -> RunResult:
    spec = RunSpec(Component(method), protocol=protocol, data=DataSpec(data), training=Training())
    return RunResult(spec, {"any": Count(1, 2)}, scores, cost={"params_trainable": 2048})


def test_a_board_keeps_protocols_apart_and_ranks_by_their_averages(tmp_path: Path) -> None:
    cross = Component("CrossDataset", {"targets": []})
    runs = [
        _result(cross, "a", {"source": 90.0, "b": 40.0, "c": 50.0, "average": 45.0}),
        _result(cross, "b", {"source": 80.0, "a": 99.0, "c": 31.0, "average": 65.0}),
        _result(cross, "a", {"source": 95.0, "b": 30.0, "c": 40.0, "average": 35.0}, "MaPLe"),
        _result(cross, "b", {"source": 85.0, "a": 20.0, "c": 99.9, "average": 59.95}, "MaPLe"),
        _result(Component("FewShot"), "a", {"accuracy": 70.0}),
        _result(Component("BaseToNew"), "a", {"base": 60.0, "new": 40.0, "H": 48.0}),
    ]
    document = board(runs)
    settings = {setting["spec"]["protocol"]["name"]: setting for setting in document["settings"]}
    assert {name: setting["headline"] for name, setting in settings.items()} == {
        "CrossDataset": "average",
        "FewShot": "accuracy",
        "BaseToNew": "H",
    }
    rows = [row for row in document["rows"] if row["setting"] == settings["CrossDataset"]["name"]]
    assert [row["label"] for row in rows] == ["CoOp", "MaPLe"]
    assert {name: score["mean"] for name, score in rows[0]["average"].items()} == {"source": 85.0, "c": 40.5, "average": 55.0}
    assert markdown(document).count("## ") >= 3


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded")


@pytest.mark.slow
@pytest.mark.parametrize("head", ["ITM", "DePT"])
@pytest.mark.parametrize("method", [*map(Component, ("CoOp", "CoCoOp", "KgCoOp")), Component("MaPLe", {"depth": 3})], ids=lambda m: m.name)
@pytest.mark.parametrize(
    ("name", "settings", "data"),
    [
        ("BaseToNew", {}, "weaves"),
        ("FewShot", {}, "weaves"),
        ("Oracle", {}, "weaves"),
        ("CrossDataset", {"targets": ["digits", "tones"]}, "weaves"),
        ("DomainGeneralization", {"variants": ["compose-a"]}, "compose"),
        ("DomainGeneralization", {"variants": ["compose-a"], "fused": False}, "compose"),
    ],
)
def test_every_method_under_every_protocol(
    name: str, settings: dict[str, Any], data: str, method: Component, head: str, embedded: Path
) -> None:
    spec = RunSpec(method, Component(head), Component(name, settings), DataSpec(data), BackboneSpec(), Training(epochs=2, lr=0.01), shots=2)
    result = depthub.run(spec, runs=embedded)
    assert all(0 < c.n_correct < c.n_total for c in result.counts.values())
    tested = [*settings.get("targets", settings.get("variants", []))]
    assert all(result.scores[task] == result.counts[task].percent for task in tested)
    assert not tested or result.scores["average"] == pytest.approx(sum(result.scores[task] for task in tested) / len(tested))


@pytest.mark.slow
def test_fusion_on_variants_shows_under_dept_only(embedded: Path) -> None:
    def counts(head: str, fused: bool) -> dict[str, Count]:
        settings = {"variants": ["compose-v2"], "fused": fused}
        spec = RunSpec(
            head=Component(head),
            protocol=Component("DomainGeneralization", settings),
            data=DataSpec("compose"),
            training=Training(epochs=3),
            shots=2,
        )
        return dict(depthub.run(spec, runs=embedded).counts)

    assert counts("ITM", True) == counts("ITM", False)
    fused, matching = counts("DePT", True), counts("DePT", False)
    assert fused["source"] == matching["source"]
    assert fused["compose-v2"] != matching["compose-v2"]
    assert of_folder(embedded, "all of these")["rows"]
