"""Whole runs of methods that do more than make prompts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import depthub
from depthub import Backbone, ClassSet, DepthubError, Features, Method, PromptMethod, Prompts, RunSpec, finished_tensors
from depthub.registry.plugins import installed
from depthub.running import run_images
from tests.models import write_backbone, write_pictures


class Voting(Method):
    """The training images vote; nothing is trained.

    Args:
        number: random views of each image that are averaged; 0: the plain image.
    """

    votes: Tensor

    def __init__(self, backbone: Backbone, classes: ClassSet, *, number: int = 0) -> None:
        super().__init__(backbone, classes)
        self.classes, self.prepared_views = classes, number
        self.register_buffer("keys", torch.empty(0))
        self.register_buffer("votes", torch.empty(0))

    def prepare(self, backbone: Backbone, images: Tensor, labels: Tensor) -> None:
        self.keys = F.normalize(images.mean(dim=1) if self.prepared_views else images, dim=-1)
        self.votes = F.one_hot(labels, len(self.classes)).float()

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        image, rows = backbone.encode_image(images), classes.rows_in(self.classes)
        votes = 20 * torch.exp(9 * (F.normalize(image, dim=-1) @ self.keys.T - 1)) @ self.votes
        text = backbone.encode_sentences(classes.sentences())
        return Features(image, text, backbone.scale, classes, added=None if rows is None else votes[:, rows])


class Continued(PromptMethod):
    """Goes on from another run.

    Args:
        start: `run:FOLDER`; empty: random.
    """

    runs = ("start",)

    def __init__(self, backbone: Backbone, classes: ClassSet, *, start: str = "") -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(finished_tensors(start)["method.context"] if start else 0.02 * torch.randn(4, backbone.text_width))

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context])


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    depthub.register(Voting)
    depthub.register(Continued)
    yield
    installed.cache_clear()


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    data, backbone = write_pictures(tmp_path / "colours"), write_backbone(tmp_path / "model")
    return RunSpec(data=data, backbone=backbone, training={"epochs": 2, "batch_size": 4, "warmup_epochs": 0}, shots=4)


def with_method(spec: RunSpec, name: str, **settings: object) -> RunSpec:
    return RunSpec.of({**spec.as_dict(), "method": {"name": name, "settings": settings}})


@pytest.mark.parametrize("augmentation", ["none", "published"])
def test_tokens_of_a_later_layer_train_as_pixels_do(
    spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, augmentation: str
) -> None:
    spec = RunSpec.of({**spec.as_dict(), "training": {**spec.as_dict()["training"], "augmentation": augmentation, "lr": 1e-3}})
    spec = with_method(spec, "SkipTuning", first_layer=2)
    states = depthub.run(spec, runs=tmp_path / "states")
    monkeypatch.setattr(run_images, "MOST_STATES", 0)
    pixels = depthub.run(spec, runs=tmp_path / "pixels")
    one, other = (finished_tensors(f"run:{run.folder}") for run in (states, pixels))
    still = RunSpec.of({**spec.as_dict(), "training": {"epochs": 1, "warmup_epochs": 0, "lr": 0.0}})
    start = finished_tensors(f"run:{depthub.run(still, runs=tmp_path / 'start').folder}")
    moved = max(float((value - start[name]).abs().max()) for name, value in one.items())
    apart = max(float((value - other[name]).abs().max()) for name, value in one.items())
    assert moved > 1e-4
    assert apart < 1e-3 * moved


@pytest.mark.parametrize("number", [0, 3])
def test_a_method_without_training_keeps_what_it_was_prepared_with(spec: RunSpec, tmp_path: Path, number: int) -> None:
    result = depthub.run(with_method(spec, "Voting", number=number), runs=tmp_path / "runs")
    plain = depthub.run(with_method(spec, "ZeroShot"), runs=tmp_path / "runs")
    assert result.counts["base"] != plain.counts["base"]
    assert result.counts["new"] == plain.counts["new"]
    classifier = depthub.load(result)
    keys = classifier.tuner.method.state_dict()["keys"]
    assert keys.shape == (4 * len(result.stages[0].classes), classifier.tuner.backbone.dim)


def test_a_finished_run_is_an_input(spec: RunSpec, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first = depthub.run(with_method(spec, "CoOp", n_ctx=4), runs=runs)
    untrained = RunSpec.of({**spec.as_dict(), "training": {"epochs": 1, "warmup_epochs": 0, "lr": 0.0}})
    going_on = with_method(untrained, "Continued", start=f"run:{first.folder}")
    result = depthub.run(going_on, runs=runs)
    assert result.counts == first.counts
    assert dict(result.spec.without_places().method.settings) == {"start": f"run:{first.spec.run_id}"}
    assert depthub.load(result).tuner.method.state_dict().keys() == {"context"}
    moved = tmp_path / "moved"
    shutil.copytree(first.folder, moved / first.spec.run_id)  # type: ignore[arg-type]
    elsewhere = with_method(untrained, "Continued", start=f"run:{moved / first.spec.run_id}")
    assert depthub.run(elsewhere, runs=runs).spec.run_id == result.spec.run_id
    assert result.provenance["inputs"]["data"].keys() >= {"Continued.start"}
    with pytest.raises(DepthubError, match="is not the folder of a finished run"):
        depthub.run(with_method(untrained, "Continued", start="run:nowhere"), runs=runs)
    (first.folder / "tuned-0.safetensors").write_bytes(b"")  # type: ignore[operator]
    with pytest.raises(DepthubError, match="not the file that the run beside it was written with"):
        depthub.run(going_on, runs=tmp_path / "others")
