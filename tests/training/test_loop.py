"""The training loop: its steps, rates, errors and the images it reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from depthub import ITM
from depthub.data.own.folder import Folder
from depthub.data.views import Views, transform
from depthub.encoding.backbone import Backbone
from depthub.errors import DepthubError
from depthub.spec import Component
from depthub.training.batches import ShuffledBatches
from depthub.training.checkpoint import Checkpoint
from depthub.training.evaluation import evaluate
from depthub.training.loop import fit
from depthub.training.schedule import learning_rate
from tests.models import CLASSES, write_pictures
from tests.training.tuners import RECIPE, same, state, tuner


def test_training_leaves_the_backbone_bit_identical_and_is_deterministic(backbone: Backbone, images: TensorDataset) -> None:
    before, states = backbone.digest(), []
    for _ in range(2):
        tuned = tuner(backbone, head=Component("DePT"))
        start = state(tuned)
        fit(tuned, images, CLASSES, RECIPE, 1, Accelerator(cpu=True))
        states.append(state(tuned))
        assert not any(torch.equal(start[name], value) for name, value in states[-1].items())
    assert backbone.digest() == before
    assert same(*states)


def test_training_is_plain_sgd_at_the_rates_of_the_schedule(backbone: Backbone, images: TensorDataset) -> None:
    recipe = replace(RECIPE, warmup_lr=0.01, momentum=0.5, weight_decay=0.02)
    tuned, plain = (tuner(backbone, head=Component("DePT")) for _ in range(2))
    fit(tuned, images, CLASSES, recipe, 1, Accelerator(cpu=True))
    order, momentum = ShuffledBatches(len(images), recipe.batch_size, 1), {name: torch.zeros_like(p) for name, p in plain.tuned().items()}
    for epoch in range(recipe.epochs):
        order.epoch = epoch
        for batch in order:
            pixels, labels = images[batch]
            plain.zero_grad()
            sum(plain(pixels, CLASSES, labels).values()).backward()
            for name, p in plain.tuned().items():
                base = recipe.lr * (plain.head.lr_scale if name.startswith("head") else 1)
                momentum[name] = recipe.momentum * momentum[name] + p.grad + recipe.weight_decay * p.detach()
                p.data -= learning_rate(base, epoch, recipe) * momentum[name]
    for name, p in plain.tuned().items():
        torch.testing.assert_close(tuned.tuned()[name], p, rtol=1e-4, atol=1e-6)


def test_without_balance_the_prompts_follow_the_baseline_bit_for_bit(backbone: Backbone, images: TensorDataset) -> None:
    """The control that the paper lacks: a CAT head that neither trains the prompt nor votes changes nothing."""
    alone, beside = tuner(backbone), tuner(backbone, head=Component("DePT", {"balance": 0.0}))
    assert torch.equal(alone.method.context, beside.method.context)
    for tuned in (alone, beside):
        fit(tuned, images, CLASSES, RECIPE, 1, Accelerator(cpu=True))
    assert torch.equal(alone.method.context, beside.method.context)


def test_a_diverged_run_is_an_error(backbone: Backbone, images: TensorDataset) -> None:
    broken = TensorDataset(torch.full_like(images.tensors[0], float("nan")), images.tensors[1])
    with pytest.raises(DepthubError, match=r"diverged; lower training.lr"):
        fit(tuner(backbone), broken, CLASSES, RECIPE, 1, Accelerator(cpu=True))


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (
            {"head": torch.tensor(0.0)},
            "^method CoOp: .* a loss named 'head', which is the head's, expected a dict of losses under names of",
        ),
        ({"extra": torch.zeros(4)}, r"^method CoOp: loss 'extra' gives a tensor of the shape \(4,\), expected a single number"),
        ({"extra": 1.0}, "^method CoOp: loss 'extra' gives a float, expected a single number"),
        (torch.tensor(0.0), r"^method CoOp: losses\(\) gives a tensor of the shape \(\), expected a dict of losses"),
        (None, r"^method CoOp: losses\(\) gives a NoneType, expected a dict of losses"),
    ],
)
def test_losses_of_a_method_stand_beside_the_heads(
    backbone: Backbone, images: TensorDataset, losses: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = tuner(backbone)
    monkeypatch.setattr(type(tuned.method), "losses", lambda self, features: losses)
    with pytest.raises(DepthubError, match=message):
        fit(tuned, images, CLASSES, RECIPE, 1, Accelerator(cpu=True))


def test_a_loss_of_each_image_is_refused(backbone: Backbone, images: TensorDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ITM, "loss", lambda self, features, labels: self(features)[:, 0])
    with pytest.raises(DepthubError, match=r"^head ITM: loss\(\) gives a tensor of the shape \(4,\), .*; take its mean$"):
        fit(tuner(backbone), images, CLASSES, RECIPE, 1, Accelerator(cpu=True))


def test_a_last_step_that_overflows_is_an_error(backbone: Backbone, images: TensorDataset, tmp_path: Path) -> None:
    """The loss of the only step is finite, but not the parameters after it."""
    recipe = replace(RECIPE, batch_size=22, epochs=1, warmup_epochs=0)
    checkpoint = Checkpoint(tmp_path / "tuned.safetensors", "a run")
    head = Component("DePT", {"cat": Component("ImageOnlyCAT", {"lr_scale": 1e39, "transform": False, "bias": False})})
    images = TensorDataset(1000 * images.tensors[0], images.tensors[1])
    message = r"^head.cat.classifier.weight is not finite in epoch 1: the run diverged; lower training.lr \(0.05\)"
    with pytest.raises(DepthubError, match=f"{message}$"):
        fit(tuner(backbone, head=head), images, CLASSES, recipe, 1, Accelerator(cpu=True), checkpoint=checkpoint)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DepthubError, match=rf"{message}, or set training.precision to fp32 \(bf16\)$"):
        fit(tuner(backbone, head=head), images, CLASSES, replace(recipe, precision="bf16"), 1, Accelerator(cpu=True))


@pytest.mark.parametrize("scale", [1e300, -1.0, float("nan"), float("inf"), "1"])
def test_a_rate_that_fp32_cannot_hold_is_refused(backbone: Backbone, images: TensorDataset, scale: Any) -> None:
    tuned = tuner(backbone, head=Component("CAT"))
    tuned.head.lr_scale = scale
    with pytest.raises(DepthubError, match=r"^head CAT: lr_scale is .*, expected a factor of 0 to 2e\+39$"):
        fit(tuned, images, CLASSES, RECIPE, 1, Accelerator(cpu=True))


class Unreadable(Dataset[tuple[Tensor, int]]):
    """Images that cannot be read."""

    def __len__(self) -> int:
        return 9

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        raise DepthubError(f"cannot read image {i}.png: truncated; replace the file")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_is_one_line_whoever_reads_it(backbone: Backbone, workers: int) -> None:
    with pytest.raises(DepthubError, match=r"^cannot read image \d.png: truncated; replace the file$"):
        fit(tuner(backbone), Unreadable(), CLASSES, RECIPE, 1, Accelerator(cpu=True), workers=workers)
    with pytest.raises(DepthubError, match=r"^cannot read image 0.png: truncated; replace the file$"):
        evaluate(tuner(backbone), Unreadable(), CLASSES, Accelerator(cpu=True), workers)


def test_augmented_views_depend_on_seed_epoch_and_image_alone(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    examples = Folder(tmp_path).load().train
    change = transform((32, 32), ((0.5,) * 3, (0.5,) * 3), augment=True)
    one, other = Views(examples, change, seed=1), Views(examples, change, seed=1)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = one[4][0]
    assert torch.equal(torch.rand(1), expected)  # the global generator is left alone
    other[0], other[2]
    assert torch.equal(first, other[4][0])
    one.epoch = 1
    assert not torch.equal(first, one[4][0])
    assert not torch.equal(first, Views(examples, change, seed=2)[4][0])
