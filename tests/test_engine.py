"""The loops: what they see, in which order, what they change and what they leave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch.utils.data import TensorDataset

from depthub.backbone import Backbone
from depthub.checkpoint import Checkpoint
from depthub.data.views import EpochOrder, Views, transform
from depthub.engine import evaluate, fit
from depthub.errors import DepthubError
from depthub.model import Tuner
from depthub.plugins import installed
from depthub.schedule import learning_rate
from depthub.settings import complete, make
from depthub.spec import Component, Training
from tests.models import CLASSES, random_backbone

COOP, MATCHING = Component("CoOp", {"n_ctx": 3}), Component("ITM")
RECIPE = Training(epochs=3, batch_size=4, lr=0.05)


@pytest.fixture
def backbone() -> Backbone:
    return random_backbone(dtype=torch.float32)


@pytest.fixture
def images() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.randn(22, 24, generator=generator), torch.randint(5, (22,), generator=generator))


def tuner(backbone: Backbone, method: Component = COOP, head: Component = MATCHING) -> Tuner:
    plugins = installed()
    torch.manual_seed(7)
    made = make(complete(method, "methods", plugins), "methods", plugins, backbone, CLASSES)
    return Tuner(backbone, made, make(complete(head, "heads", plugins), "heads", plugins, backbone.dim, CLASSES))


def state(tuned: Tuner) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in tuned.tuned().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("length", "batch", "steps"), [(22, 4, 5), (20, 4, 5), (3, 4, 1), (4, 4, 1), (1, 4, 1)])
def test_the_last_images_are_dropped_unless_there_is_no_full_batch(length: int, batch: int, steps: int) -> None:
    batches = list(EpochOrder(length, batch, seed=1))
    assert len(batches) == steps
    assert all(len(b) == min(batch, length) for b in batches)
    seen = [i for b in batches for i in b]
    assert len(set(seen)) == len(seen)


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    def orders(seed: int) -> list[list[list[int]]]:
        order, found = EpochOrder(22, 4, seed), []
        for epoch in range(3):
            order.epoch = epoch
            torch.rand(epoch + seed)  # whatever else draws in between
            found.append(list(order))
        return found

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)
    first, second, third = orders(1)
    assert first != second != third != first


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
    order, momentum = EpochOrder(len(images), recipe.batch_size, 1), {name: torch.zeros_like(p) for name, p in plain.tuned().items()}
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
    from safetensors.torch import load_file

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


def test_a_diverged_run_is_an_error(backbone: Backbone, images: TensorDataset) -> None:
    broken = TensorDataset(torch.full_like(images.tensors[0], float("nan")), images.tensors[1])
    with pytest.raises(DepthubError, match=r"diverged; lower training.lr"):
        fit(tuner(backbone), broken, CLASSES, RECIPE, 1, Accelerator(cpu=True))


def test_evaluation_counts_every_image_once(backbone: Backbone) -> None:
    zero_shot = tuner(backbone, Component("ZeroShot"))
    assert zero_shot.tuned() == {}
    images = torch.randn(230, 24, generator=torch.Generator().manual_seed(3))
    expected = zero_shot(images, CLASSES).argmax(dim=-1)
    labels = torch.where(torch.arange(230) % 3 == 0, (expected + 1) % 5, expected)
    counts = evaluate(zero_shot, TensorDataset(images, labels), CLASSES, Accelerator(cpu=True))
    assert (counts.n_correct, counts.n_total) == (230 - 77, 230)
    assert sum(n for _, n, _ in counts.per_class) == 230
    assert [g for _, _, g in counts.per_class] == torch.bincount(expected, minlength=5).tolist()


def test_augmented_views_depend_on_seed_epoch_and_image_alone(tmp_path: Path) -> None:
    from depthub.data.folder import Folder
    from tests.models import write_pictures

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
