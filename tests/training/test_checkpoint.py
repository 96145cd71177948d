"""Checkpoints: training goes on exactly from them, or starts from scratch and gives the reason."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor
from torch.utils.data import TensorDataset

from depthub.encoding.backbone import Backbone
from depthub.errors import DepthubError
from depthub.spec import Component
from depthub.training.checkpoint import Checkpoint
from depthub.training.job import TrainingJob
from depthub.training.loop import fit, fit_together
from tests.models import CLASSES
from tests.training.tuners import RECIPE, same, state, tuner


def test_an_interrupted_training_goes_on_exactly(backbone: Backbone, images: TensorDataset, tmp_path: Path) -> None:
    whole = tuner(backbone, head=Component("DePT"))
    fit(whole, images, CLASSES, RECIPE, 1, Accelerator(cpu=True))
    checkpoint = Checkpoint(tmp_path / "tuned.safetensors", "a run")

    def interrupt(epoch: int, _: float) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            tuner(backbone, head=Component("DePT")),
            images,
            CLASSES,
            RECIPE,
            1,
            Accelerator(cpu=True),
            checkpoint=checkpoint,
            on_epoch=interrupt,
        )
    resumed, epochs = tuner(backbone, head=Component("DePT")), []
    fit(resumed, images, CLASSES, RECIPE, 1, Accelerator(cpu=True), checkpoint=checkpoint, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert epochs == [3]
    assert same(state(resumed), state(whole))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tuned.safetensors"]


def test_a_checkpoint_holds_only_what_was_tuned(backbone: Backbone, images: TensorDataset, tmp_path: Path) -> None:
    tuned, checkpoint = tuner(backbone), Checkpoint(tmp_path / "tuned.safetensors", "a run")
    fit(tuned, images, CLASSES, RECIPE, 1, Accelerator(cpu=True), checkpoint=checkpoint)
    assert set(load_file(checkpoint.path)) == {"method.context", "momentum.method.context"}
    optimizer = torch.optim.SGD(tuned.parameters(), lr=1)
    with pytest.raises(DepthubError, match="belongs to another run"):
        Checkpoint(checkpoint.path, "another run").restore(tuned, optimizer)
    with pytest.raises(DepthubError, match="belongs to another run"):
        checkpoint.restore(tuner(backbone, Component("CoOp", {"n_ctx": 5})), optimizer)
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:60])
    with pytest.raises(DepthubError, match="is damaged"):
        checkpoint.restore(tuned, optimizer)


@pytest.mark.parametrize("cut", [1, 2])
def test_training_in_fp16_goes_on_with_the_scale_of_its_losses(backbone: Backbone, images: TensorDataset, cut: int, tmp_path: Path) -> None:
    """Torch's scaler as on a GPU: a scale that overflows is halved, and grows again after three good steps."""

    def trained(epochs: int, checkpoint: Checkpoint | None = None) -> tuple[dict[str, Tensor], float]:
        tuned, accelerator = tuner(backbone), Accelerator(cpu=True)
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=3)

        def interrupt(epoch: int, _: float) -> None:
            if epoch == epochs:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit(tuned, images, CLASSES, RECIPE, 1, accelerator, checkpoint=checkpoint, on_epoch=interrupt)
        return state(tuned), accelerator.scaler.get_scale()

    whole, scale = trained(3)
    trained(cut, Checkpoint(tmp_path / "tuned.safetensors", "a run"))
    resumed, again = trained(3, Checkpoint(tmp_path / "tuned.safetensors", "a run"))
    assert same(resumed, whole)
    assert again == scale
    notes: list[str] = []
    without = Checkpoint(tmp_path / "other.safetensors", "a run", note=notes.append)
    fit(tuner(backbone), images, CLASSES, RECIPE, 1, Accelerator(cpu=True), checkpoint=without)
    assert same(trained(3, without)[0], whole)
    assert notes == ["training starts from scratch, not from other.safetensors: the scale of the losses is not recorded"]


def test_training_does_not_go_on_from_other_code(backbone: Backbone, images: TensorDataset, tmp_path: Path) -> None:
    notes: list[str] = []

    def epochs(inputs: dict[str, Any] | None) -> list[int]:
        done: list[int] = []
        checkpoint = Checkpoint(tmp_path / "tuned.safetensors", "a run", inputs, notes.append)
        fit(tuner(backbone), images, CLASSES, RECIPE, 1, Accelerator(cpu=True), checkpoint=checkpoint, on_epoch=lambda e, _: done.append(e))
        return done

    first = {"code": {"methods CoOp": {"version": "1.0", "sizes": (1, 2)}}, "data": "a"}
    assert epochs(None) == [1, 2, 3]
    assert epochs(first) == [1, 2, 3]  # nothing is recorded
    assert epochs(first) == []
    assert epochs(None) == []
    assert notes[0].startswith("training starts from scratch, not from tuned.safetensors: code was not recorded, is ")
    assert notes[0].endswith(" and 1 more")
    second = {"code": {"methods CoOp": {"version": "2.0", "sizes": (1, 2)}}, "data": "a"}
    assert epochs(second) == [1, 2, 3]
    assert notes[1:] == ["training starts from scratch, not from tuned.safetensors: code.methods CoOp.version was 1.0, is 2.0"]
    with pytest.raises(DepthubError, match="belongs to another run"):
        Checkpoint(tmp_path / "tuned.safetensors", "another run", first).restore(tuner(backbone), torch.optim.SGD([torch.zeros(1)]))


def test_a_checkpoint_holds_the_seconds_of_its_epochs(backbone: Backbone, images: TensorDataset, tmp_path: Path) -> None:
    path, job = tmp_path / "tuned.safetensors", partial(TrainingJob, images=images, classes=CLASSES, training=RECIPE, seed=1)
    first = job(tuner(backbone), checkpoint=Checkpoint(path, "a run"), seconds=100.0)
    fit_together([first], Accelerator(cpu=True))
    assert first.seconds > 100
    again = job(tuner(backbone), checkpoint=Checkpoint(path, "a run"), seconds=7.0)
    fit_together([again], Accelerator(cpu=True))
    assert again.seconds == pytest.approx(first.seconds + 7)


@pytest.mark.parametrize(
    "changed",
    [
        {"epochs_done": "two"},
        {"epochs_done": "-1"},
        {"epochs_done": "nan"},
        {"seconds": "inf"},
        {"seconds": ""},
        {"inputs": "{"},
        {"epochs_done": None},
        {"run_id": None},
    ],
)
def test_impossible_metadata_are_damage(backbone: Backbone, images: TensorDataset, changed: dict[str, str | None], tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "tuned.safetensors", "a run", {"code": "1"})
    fit(tuner(backbone), images, CLASSES, RECIPE, 1, Accelerator(cpu=True), checkpoint=checkpoint)
    with safe_open(checkpoint.path, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    complete = {name: value for name, value in (metadata | changed).items() if value is not None}
    for content in (save(tensors, complete), save({**tensors, "method.context": tensors["method.context"] * torch.nan}, metadata)):
        checkpoint.path.write_bytes(content)
        with pytest.raises(DepthubError, match=r"is damaged .*; delete it to train from scratch") as caught:
            fit(tuner(backbone), images, CLASSES, RECIPE, 1, Accelerator(cpu=True), checkpoint=checkpoint)
        assert "\n" not in str(caught.value)
