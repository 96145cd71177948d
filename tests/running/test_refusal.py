"""Data, specs and runs that cannot give a right number are refused in one line, before training where possible, and leave no result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import depthub
from depthub import BackboneSpec, ClassSet, Component, Data, DataSpec, DepthubError, Examples, RunSpec, Stage, Task, Training
from depthub.boundary import check_data, check_stages
from depthub.protocol import Count, Protocol
from depthub.records.scoring import check_summary
from tests.models import write_backbone, write_pictures

QUICK = Training(epochs=1, batch_size=4)


def black(name: str) -> Image.Image:
    return Image.new("RGB", (8, 8))


def examples(split: str, labels: tuple[int, ...], source: str = "") -> Examples:
    return Examples(tuple(f"{split}/{i}" for i in range(len(labels))), labels, black, source)


CLASSES = ClassSet("three", (0, 1, 2), ("ant", "bee", "red_cat"))
DATA = Data(CLASSES, examples("train", (0, 1, 2)), examples("test", (0, 1, 2)))
TASK = Task("all", DATA.test, CLASSES)
STAGE = Stage(Task("train", DATA.train, CLASSES), (TASK,))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (replace(DATA, classes=replace(CLASSES, names=("ant", "bee", " _"))), "class 2 has an empty name"),
        (
            replace(DATA, classes=replace(CLASSES, names=("ant", "Red  cat", "red_cat"))),
            "classes 'Red  cat' and 'red_cat' have the same words",
        ),
        (replace(DATA, classes=replace(CLASSES, ids=(0, 1, 1))), "as many different ids as names"),
        (replace(DATA, classes=replace(CLASSES, names=("ant", "bee"))), "as many different ids as names"),
        (replace(DATA, classes=ClassSet("none", (), ())), "there are no classes"),
        (replace(DATA, classes=replace(CLASSES, template="a photo.")), "the template 'a photo.' does not name the class"),
        (replace(DATA, classes=replace(CLASSES, templates=(("kgcoop", "{c}"),))), "the template '{c}' does not name the class"),
        (replace(DATA, test=examples("test", (0, 1, 3))), "label 3 is not one of 0 to 2"),
        (replace(DATA, test=examples("test", (0, 1, -1))), "label -1 is not one of 0 to 2"),
        (replace(DATA, test=replace(DATA.test, labels=(0, 1))), "3 ids, but 2 labels"),
        (replace(DATA, val=replace(DATA.test, ids=("a", "b", "a"))), "the image 'a' is there twice"),
        (None, "load() gives a NoneType, expected Data"),
    ],
)
def test_data_sets(data: Data, message: str) -> None:
    with pytest.raises(DepthubError) as caught:
        check_data(data, "mine")
    assert str(caught.value).startswith(("data set 'mine'", "the template"))
    assert message in str(caught.value)


def test_homonyms_of_the_published_list_are_data() -> None:
    classes = replace(CLASSES, names=("crane", "ant", "Crane"))
    check_data(replace(DATA, classes=classes, homonyms=("crane",)), "published")


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "makes no test task"),
        ([replace(STAGE, tests=())], "makes no test task"),
        ([None], "makes no test task"),
        ([replace(STAGE, tests=(TASK, TASK))], "has two test tasks named 'all'"),
        ([replace(STAGE, tests=(replace(TASK, examples=examples("test", ())),))], "test task 'all' of protocol Mine has no images"),
        (
            [replace(STAGE, train=replace(STAGE.train, examples=examples("train", ())))],
            "training task 'train' of protocol Mine has no images",
        ),
        ([replace(STAGE, tests=(replace(TASK, classes=CLASSES.take([0, 1])),))], "label 2 is not one of 0 to 1"),
        ([replace(STAGE, tests=(replace(TASK, examples=DATA.train),))], "3 training images are among the test images of task 'all'"),
    ],
)
def test_stages(stages: list[Stage], message: str) -> None:
    with pytest.raises(DepthubError) as caught:
        check_stages(stages, {"mine": DATA}, "Mine")
    assert message in str(caught.value)


def test_images_of_other_data_sets_may_have_the_same_ids() -> None:
    other = replace(TASK, examples=replace(DATA.train, source="other"))
    check_stages([replace(STAGE, tests=(other,))], {"mine": DATA}, "Mine")


class Halves(Protocol):
    """A protocol with scores of its own."""

    headline = "HM"
    harmonic = {"HM": ("seen", "unseen")}  # noqa: RUF012 - as a plugin's author writes it

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        return []

    def scores(self, counts: dict[str, Count]) -> dict[str, float]:  # type: ignore[override]
        return {}


def test_a_protocol_keeps_to_what_it_declares() -> None:
    summary = Halves().summary(["seen", "unseen", "HM"])
    check_summary(summary, {"seen": 50.0, "unseen": 25.0, "HM": 100 / 3}, "run")
    with pytest.raises(DepthubError, match=r"HM is 40.0, but the harmonic mean of seen and unseen is 33.3333"):
        check_summary(summary, {"seen": 50.0, "unseen": 25.0, "HM": 40.0}, "run")
    with pytest.raises(DepthubError, match="declares score 'HM', but reports seen"):
        Halves().summary(["seen"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lr", -0.1),
        ("lr", float("inf")),
        ("lr", 1e38),
        ("lr", float("nan")),
        ("lr", "0.1"),
        ("momentum", 2),
        ("momentum", 1.0),
        ("weight_decay", -1),
        ("warmup_lr", -1e-5),
        ("epochs", 1.5),
        ("epochs", True),
        ("batch_size", 0),
        ("precision", "fp8"),
        ("augmentation", "strong"),
        ("epochs", 2**53),
    ],
)
def test_recipes(field: str, value: object) -> None:
    with pytest.raises(DepthubError, match=rf"training.{field} is "):
        Training(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shots": 2.0}, "shots is 2.0, expected an integer"),
        ({"seed": 2**53}, r"seed is 9007199254740992, expected less than 2\*\*53"),
        ({"method": 3}, "method is 3, expected a name or a Component"),
        ({"training": 3}, "training is 3, expected "),
        (
            {"method": Component("ZeroShot", {"templates": "a photo of a {}."})},
            "templates is 'a photo of a {}.', expected a list of texts or nothing",
        ),
        ({"method": Component("CoOp", {"ctx_init": "\ud800"})}, "a value that JSON cannot hold"),
        ({"method": Component("KgCoOp", {"weight": float("nan")})}, "weight is nan, expected a finite float"),
        ({"head": Component("DePT", {"balance": float("inf")})}, "balance is inf, expected a finite float"),
    ],
)
def test_specs(change: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match=message):
        depthub.run(RunSpec(**change), runs=tmp_path)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_names_alone_make_a_spec() -> None:
    spec = RunSpec(method="CoOp", head="DePT", protocol="FewShot", data="tones", backbone="shapes")  # type: ignore[arg-type]
    assert spec == RunSpec(Component("CoOp"), Component("DePT"), Component("FewShot"), DataSpec("tones"), BackboneSpec("shapes"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    folder = tmp_path_factory.mktemp("small")
    return RunSpec(data=write_pictures(folder / "colours"), backbone=write_backbone(folder / "model"), training=QUICK, shots=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": replace(QUICK, epochs=6, lr=9e5, weight_decay=9e5, warmup_epochs=0), "head": Component("DePT")}, "lower training.lr"),
        ({"method": Component("ZeroShot", {"templates": ["a photo"]})}, "the template 'a photo' does not name the class"),
        ({"method": Component("ZeroShot", {"templates": ["{0} {1}"]})}, "does not name the class"),
        ({"method": Component("KgCoOp", {"template": "{name}"})}, "does not name the class"),
    ],
)
def test_runs_without_a_right_number_leave_none(small: RunSpec, change: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match=message):
        depthub.run(replace(small, **change), runs=tmp_path)
    assert not list(tmp_path.rglob("run.json"))


def test_a_class_without_training_images_is_noted(small: RunSpec, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "path,label,split\n"
        + "".join(f"{label}{i}.png,{label},{'train' if i < 2 else 'test'}\n" for label in ("ant", "bee", "cat", "dog") for i in range(4))
    )
    for label in ("ant", "bee", "cat", "dog"):
        for i in range(4):
            Image.fromarray(np.full((36, 36, 3), 60 * i, np.uint8)).save(tmp_path / f"{label}{i}.png")
    spec = replace(small, data=DataSpec(f"list:{tmp_path}/list.csv"), shots=3)
    result = depthub.run(spec, runs=tmp_path / "runs")
    assert result.warnings == ("fewer than 3 training images, all are used: ant (2), bee (2)",)


def test_weights_that_are_not_numbers_are_refused(small: RunSpec, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    spec = write_backbone(tmp_path / "model")
    weights = load_file(spec.pretrained)
    weights["text_projection"][0, 0] = torch.nan
    save_file(weights, spec.pretrained)
    with pytest.raises(DepthubError, match="text_projection"):
        depthub.run(replace(small, backbone=spec, method=Component("ZeroShot")), runs=tmp_path / "runs")
    assert not list(tmp_path.rglob("run.json"))
