"""Recipes in whole runs: what is stored, refused and planned of lengths in steps, other crops and other batches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import depthub
from depthub import Component, DepthubError, RunSpec, Training
from depthub.data.views import Views, transform
from depthub.encoding.feature_key import row_keys
from depthub.encoding.image_features import ImageFeatures, ViewFeatures
from depthub.encoding.loading.load import load_backbone
from depthub.recipe import Length
from depthub.records.entries import HISTORY
from depthub.registry.plugins import installed
from depthub.running.resolving import Resolver
from depthub.suites.description import described
from depthub.suites.forecast import Forecast
from depthub.suites.operations import counter
from depthub.suites.sharing import encodings
from depthub.training.schedule import learning_rate_of_step
from tests.models import write_backbone, write_pictures


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    """Pictures of five classes, three of them base classes."""
    folder = tmp_path_factory.mktemp("small")
    return RunSpec(data=write_pictures(folder / "colours"), backbone=write_backbone(folder / "model"), training=Training(), shots=4)


def test_a_run_with_every_new_value(small: RunSpec, tmp_path: Path) -> None:
    by_step: dict[str, Any] = {"optimizer": "adamw", "schedule": "step", "final_lr": 1e-6, "warmup_epochs": 0}
    recipe = Training(steps_per_shot=2, batch_size=2, batches="single_class", crop=0.5, augmentation="published", **by_step)
    protocol = Component("BaseToNew", {"epochs": [1]})
    epochs: list[int] = []
    result = depthub.run(replace(small, training=recipe, protocol=protocol), runs=tmp_path, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert epochs == [1, 2]  # 3 base classes with 2 batches each: 6 steps of 8, and 2
    assert result.spec.training == recipe
    assert {"base", "base, epoch 1"} <= result.counts.keys()
    assert result.folder
    assert depthub.read(result.folder / "run.json").spec.training == recipe
    last = json.loads((result.folder / HISTORY).read_text().splitlines()[-1])
    assert last["rates"]["method"] == learning_rate_of_step(recipe.lr, 7, recipe, Length(6, 8))
    usual = depthub.run(replace(small, training=replace(recipe, crop=0.08), protocol=protocol), runs=tmp_path)
    assert load_file(usual.folder / "tuned-0.safetensors").keys() == load_file(result.folder / "tuned-0.safetensors").keys()  # type: ignore[operator]
    assert usual.spec.run_id != result.spec.run_id


def test_a_test_after_an_epoch_that_the_steps_do_not_reach_is_refused(small: RunSpec) -> None:
    spec = replace(small, training=Training(steps_per_shot=1, epochs=50), protocol=Component("BaseToNew", {"epochs": [3]}))
    with pytest.raises(DepthubError, match=r"after epoch 3, but the training has epochs 1 to 2; .* or raise training.steps_per_shot$"):
        Resolver()(spec)


@pytest.mark.parametrize(("change", "name"), [({"schedule": "step"}, "schedule step"), ({"optimizer": "adamw"}, "optimizer adamw")])
def test_steps_that_differ_are_not_replayed(small: RunSpec, change: dict[str, Any], name: str, tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match=f"^--graphs replays equal steps, but with training.{name} they differ; run without it$"):
        depthub.run(replace(small, training=Training(**change)), runs=tmp_path, graphs=True)
    assert list(tmp_path.iterdir()) == []


def test_other_crops_are_other_features(small: RunSpec) -> None:
    backbone = load_backbone(small.backbone, {})
    features = ImageFeatures(backbone, small.backbone)
    examples = Resolver()(small).stages[0].train.examples
    usual, larger = (ViewFeatures(features, examples, 3, crop=crop) for crop in (0.08, 0.5))
    for crop, views in ((0.08, usual), (0.5, larger)):
        pixels = Views(examples, transform(backbone.image_size, backbone.image_statistics, augment=True, crop=crop), 3)
        pixels.epoch = views.epoch = 1
        expected = backbone.encode_image(torch.stack([pixels[i][0] for i in range(len(pixels))]))
        torch.testing.assert_close(torch.stack([views[i][0] for i in range(len(views))]), expected, rtol=1e-4, atol=1e-5)
    assert not torch.equal(usual[0][0], larger[0][0])
    assert set(row_keys(examples, (3, 1), "cpu")).isdisjoint(row_keys(examples, (3, 1, 0.5), "cpu"))


def test_plans_count_the_steps(small: RunSpec) -> None:
    """Twelve base images in batches of four: nine steps are three epochs, eight end within the third."""
    by_epochs, by_steps, shorter, longer = (
        Resolver()(replace(small, training=Training(augmentation="published", warmup_epochs=0, **values), shots=4))
        for values in ({"epochs": 3}, {"steps_per_shot": 2}, {"steps_per_shot": 1}, {"steps_per_shot": 4})
    )
    assert [run.epochs for run in (by_epochs, by_steps, shorter, longer)] == [3, 3, 2, 6]
    assert encodings([by_epochs], installed()) == encodings([by_steps], installed())
    assert encodings([by_epochs, by_steps], installed())[1] == encodings([by_epochs], installed())[1]
    work = counter([by_steps, longer], installed())
    assert work
    assert work(by_epochs)[0] > work(by_steps)[0] > work(shorter)[0]
    forecast = Forecast()
    samples = [{"ids": by_steps.stages[0].drawn.ids}]
    forecast.learn([{"spec": by_steps.spec.without_places().as_dict(), "cost": {"train_s": 8.0}, "samples": samples}])
    estimates = [forecast(of_run) for of_run in (by_steps, longer)]
    assert [estimate and estimate.seconds for estimate in estimates] == [8.0, 16.0]
    assert "steps_per_shot 2" in described(by_steps)
    assert ", epochs" not in described(by_steps)
