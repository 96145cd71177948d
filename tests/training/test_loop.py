"""The loops: what they see, in which order, what they change and what they leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from depthub import ITM, ClassSet, Features, Head
from depthub.data.views import Views, transform
from depthub.encoding.backbone import Backbone
from depthub.errors import DepthubError
from depthub.records.predictions import Predictions
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, make
from depthub.spec import Component, Training
from depthub.testing.case import on_cpu
from depthub.training.batches import ShuffledBatches
from depthub.training.checkpoint import Checkpoint
from depthub.training.evaluation import evaluate
from depthub.training.job import TrainingJob
from depthub.training.loop import fit, fit_together
from depthub.training.schedule import learning_rate
from depthub.training.tuner import Tuner
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
    batches = list(ShuffledBatches(length, batch, seed=1))
    assert len(batches) == steps
    assert all(len(b) == min(batch, length) for b in batches)
    seen = [i for b in batches for i in b]
    assert len(set(seen)) == len(seen)


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    def orders(seed: int) -> list[list[list[int]]]:
        order, found = ShuffledBatches(22, 4, seed), []
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
    counts = evaluate(zero_shot, TensorDataset(images, labels), CLASSES, Accelerator(cpu=True)).count()
    assert (counts.n_correct, counts.n_total) == (230 - 77, 230)
    assert sum(n for _, n, _ in counts.per_class) == 230
    assert [g for _, _, g in counts.per_class] == torch.bincount(expected, minlength=5).tolist()


class Scoring(Head):
    """Gives the scores it is told to, whatever it reads."""

    def __init__(self, scores: Tensor, *, probabilities: bool = False) -> None:
        super().__init__(24, CLASSES)
        self.given, self.probabilities = scores, probabilities

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return features.image.sum()

    def forward(self, features: Features) -> Tensor:
        return self.given[features.image[:, 0].long()]

    def gives_probabilities(self, classes: ClassSet) -> bool:
        return self.probabilities


def predicted(backbone: Backbone, scores: Tensor, labels: Sequence[int], **how: Any) -> Predictions:
    """What is predicted where image i has these scores, (N, 5)."""
    zero_shot = tuner(backbone, Component("ZeroShot")).method
    images = TensorDataset(torch.arange(len(scores), dtype=torch.float32)[:, None].expand(-1, 24), torch.tensor(labels))
    return evaluate(Tuner(backbone, zero_shot, Scoring(scores, **how)), images, CLASSES, Accelerator(cpu=True), task="new")


def test_predictions_hold_the_best_classes_first_and_of_equal_ones_the_first(backbone: Backbone) -> None:
    scores = torch.randint(3, (250, 5), generator=torch.Generator().manual_seed(0)).float()  # full of ties
    labels = (torch.arange(250) % 5).tolist()
    found = predicted(backbone, scores, labels)
    ordered = scores.sort(dim=1, descending=True, stable=True)
    assert (found.best == ordered.indices.numpy()).all()
    assert (found.predicted == scores.argmax(dim=1).numpy()).all()
    assert (found.scores == ordered.values.numpy()).all()
    assert (found.true == scores[range(250), labels].numpy()).all()
    assert found.log_sum_exp == pytest.approx(scores.logsumexp(dim=1).numpy())
    assert (found.labels.tolist(), found.n_classes, len(found)) == (labels, 5, 250)
    assert {value.dtype for value in (found.scores, found.true, found.log_sum_exp)} == {np.dtype(np.float32)}
    assert {value.dtype for value in (found.labels, found.best)} == {np.dtype(np.int32)}


def test_probabilities_are_kept_as_their_logarithms(backbone: Backbone) -> None:
    scores = torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0], [0.5, 0.2, 0.1, 0.2, 0.0]])
    found = predicted(backbone, scores, [0, 1], probabilities=True)
    assert found.probabilities() == pytest.approx(scores.sort(dim=1, descending=True).values.numpy(), abs=1e-6)
    assert np.isfinite(found.negative_log_likelihood()).all()
    assert found.log_sum_exp == pytest.approx([0, 0], abs=1e-6)
    assert found.best[0].tolist() == [1, 0, 2, 3, 4]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_scores_that_are_not_finite_are_no_prediction(backbone: Backbone, value: float) -> None:
    scores = torch.zeros(230, 5, dtype=torch.float64)
    scores[[3, 7, 229], 4] = value
    with pytest.raises(DepthubError, match=r"^test task 'new': the scores of 3 of 230 images are not finite; lower training.lr, .* fp32"):
        predicted(backbone, scores, [0] * 230)


@pytest.mark.parametrize("shape", [(2, 4), (2, 6), (2,), (2, 5, 1)])
def test_heads_that_score_other_classes_are_refused(backbone: Backbone, shape: tuple[int, ...]) -> None:
    message = r"^head Scoring gives a tensor of the shape .* for 2 images and 5 classes, expected scores of the shape \(2, 5\); its forward"
    with pytest.raises(DepthubError, match=message):
        predicted(backbone, torch.zeros(shape), [0, 1])


def test_a_task_without_images_is_refused(backbone: Backbone) -> None:
    with pytest.raises(DepthubError, match=r"^test task 'new' has no test images"):
        predicted(backbone, torch.zeros(0, 5), [])


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (
            {"head": torch.tensor(0.0)},
            "^method CoOp: .* a loss named 'head', which is the head's, expected a dict of losses under names of",
        ),
        ({"own": torch.zeros(4)}, r"^method CoOp: loss 'own' gives a tensor of the shape \(4,\), expected a single number"),
        ({"own": 1.0}, "^method CoOp: loss 'own' gives a float, expected a single number"),
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
    """The loss of each step is finite; what the only step made of the prompts is not."""
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
    made = tuner(backbone, head=Component("CAT"))
    made.head.lr_scale = scale
    with pytest.raises(DepthubError, match=r"^head CAT: lr_scale is .*, expected a factor of 0 to 2e\+39$"):
        fit(made, images, CLASSES, RECIPE, 1, Accelerator(cpu=True))


@pytest.mark.parametrize("head", ["ITM", "DePT", "MatchingCAT"])
def test_heads_read_features_in_full_precision(backbone: Backbone, head: str) -> None:
    """In bf16 scores of a hundred would have steps of a half, and classes would tie."""
    images = torch.randn(400, 24, generator=torch.Generator().manual_seed(3))
    tuned = tuner(backbone, Component("KgCoOp"), Component(head))
    labels = torch.zeros(400, dtype=torch.long)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        features = tuned.method.features(backbone, images, CLASSES)
        losses = tuned(images, CLASSES, labels)
    assert features.text.dtype == torch.bfloat16
    full = replace(features, text=features.text.float(), image=features.image.float())
    expected = tuned.head(full)
    with on_cpu("bf16") as accelerator:
        found = evaluate(tuned, TensorDataset(images, labels), CLASSES, accelerator)
    assert found.scores[:, 0] == pytest.approx(expected.max(dim=1).values.detach().numpy(), rel=1e-5)
    assert (found.predicted == expected.argmax(dim=1).numpy()).all()
    assert torch.equal(losses["head"], tuned.head.loss(full, labels))
    assert torch.equal(losses["knowledge"], tuned.method.losses(full)["knowledge"])
    assert {loss.dtype for loss in losses.values()} == {torch.float32}


@pytest.mark.parametrize("cut", [1, 2])
def test_training_in_fp16_goes_on_with_the_scale_of_its_losses(backbone: Backbone, images: TensorDataset, cut: int, tmp_path: Path) -> None:
    """Torch's scaler as on a GPU: a scale that overflows is halved, and grows again after three good steps."""

    def trained(epochs: int, checkpoint: Checkpoint | None = None) -> tuple[dict[str, torch.Tensor], float]:
        made, accelerator = tuner(backbone), Accelerator(cpu=True)
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=3)

        def interrupt(epoch: int, _: float) -> None:
            if epoch == epochs:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit(made, images, CLASSES, RECIPE, 1, accelerator, checkpoint=checkpoint, on_epoch=interrupt)
        return state(made), accelerator.scaler.get_scale()

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


def test_a_checkpoint_tells_how_long_its_epochs_took(backbone: Backbone, images: TensorDataset, tmp_path: Path) -> None:
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
def test_what_a_checkpoint_cannot_say_is_damage(
    backbone: Backbone, images: TensorDataset, changed: dict[str, str | None], tmp_path: Path
) -> None:
    checkpoint = Checkpoint(tmp_path / "tuned.safetensors", "a run", {"code": "1"})
    fit(tuner(backbone), images, CLASSES, RECIPE, 1, Accelerator(cpu=True), checkpoint=checkpoint)
    with safe_open(checkpoint.path, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    kept = {name: value for name, value in (metadata | changed).items() if value is not None}
    for content in (save(tensors, kept), save({**tensors, "method.context": tensors["method.context"] * torch.nan}, metadata)):
        checkpoint.path.write_bytes(content)
        with pytest.raises(DepthubError, match=r"is damaged .*; remove it to train anew") as caught:
            fit(tuner(backbone), images, CLASSES, RECIPE, 1, Accelerator(cpu=True), checkpoint=checkpoint)
        assert "\n" not in str(caught.value)


def test_progress_is_told_after_every_batch(backbone: Backbone) -> None:
    images, told = TensorDataset(torch.randn(230, 24), torch.zeros(230, dtype=torch.long)), list[tuple[int, int]]()
    zero_shot = tuner(backbone, Component("ZeroShot"))
    evaluate(zero_shot, images, CLASSES, Accelerator(cpu=True), on_progress=lambda *done: told.append(done))
    assert told == [(100, 230), (200, 230), (230, 230)]


class Unreadable(Dataset[tuple[Tensor, int]]):
    """Images that nobody can read."""

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
    from depthub.data.own.folder import Folder
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
