"""The recipe: AdamW, rates by step, lengths in steps, crops and batches of single classes; and that none of it changes older runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given, strategies as st
from safetensors.torch import load_file

from depthub import Component, DepthubError, RunSpec, Training
from depthub.cli.commands import run
from depthub.encoding.backbone import Backbone
from depthub.recipe import Length, whole_batches
from depthub.records.entries import HISTORY
from depthub.training.batches import ProcessBatches, ShuffledBatches, SingleClassBatches, StackedBatches
from depthub.training.checkpoint import Checkpoint
from depthub.training.grouping import group_jobs
from depthub.training.history import History
from depthub.training.job import TrainingJob
from depthub.training.loop import fit_together
from depthub.training.schedule import learning_rate, learning_rate_of_step
from depthub.training.tuner import Tuner
from tests.models import random_backbone
from tests.training.jobs import EXACT, METHODS, apart, job, trained

DEPT = Component("DePT")
ADAMW: dict[str, Any] = {"optimizer": "adamw", "schedule": "step", "final_lr": 1e-6, "warmup_epochs": 0}
RECIPES: dict[str, dict[str, Any]] = {
    "sgd": {"epochs": 3},
    "adamw": {"epochs": 3, "optimizer": "adamw"},
    "sgd by step": {"steps_per_shot": 7, "schedule": "step"},
    "adamw by step": {"steps_per_shot": 7, **ADAMW},
    "single classes": {"steps_per_shot": 11, "batch_size": 2, "batches": "single_class", "schedule": "step"},
}
Labels = st.lists(st.integers(0, 4), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


def labelled(of_run: TrainingJob) -> TrainingJob:
    """The run with the labels of its images, as runs have it."""
    of_run.labels = of_run.images.tensors[1].tolist()  # type: ignore[union-attr]
    return of_run


# ----------------------------------------------------------------------------------------------------------------------------- specs


def test_older_runs_have_the_ids_that_they_had() -> None:
    assert RunSpec().run_id == "ecb0373b050aec69645e0b5821829f887765b02ef42f291708480fbee26a9f14"
    assert RunSpec(training=Training()).run_id == "2510dcd22320ca50ca0eeca3e43c70b1a8d175a9fb38de3420e76e5176bccdd1"
    assert [*Training().as_dict()][-2:] == ["augmentation", "precision"]


@pytest.mark.parametrize(
    ("one", "other", "absent"),
    [
        ({"steps_per_shot": 5, "epochs": 3}, {"steps_per_shot": 5, "epochs": 7}, "epochs"),
        ({"optimizer": "adamw", "momentum": 0.5}, {"optimizer": "adamw"}, "momentum"),
        ({"augmentation": "none", "crop": 0.5}, {"augmentation": "none"}, "crop"),
    ],
)
def test_equal_runs_have_equal_specs(one: dict[str, Any], other: dict[str, Any], absent: str) -> None:
    specs = [RunSpec(training=Training(**values)) for values in (one, other)]
    assert specs[0] == specs[1]
    assert specs[0].run_id == specs[1].run_id
    assert absent not in specs[0].as_dict()["training"]
    assert RunSpec.of(json.loads(json.dumps(specs[0].as_dict()))) == specs[0]


@pytest.mark.parametrize("change", [{"optimizer": "adamw"}, {"schedule": "step"}, {"final_lr": 1e-6}, {"steps_per_shot": 1}, {"crop": 0.5}])
def test_other_numbers_are_another_run(change: dict[str, Any]) -> None:
    assert RunSpec(training=Training(**change)).run_id != RunSpec(training=Training()).run_id
    assert change.items() <= Training(**change).as_dict().items()


def test_another_recipe_of_a_changed_one_has_the_usual_values_again() -> None:
    changed = Training(epochs=3, momentum=0.5, optimizer="adamw", steps_per_shot=5)
    assert replace(changed, optimizer="sgd", steps_per_shot=0) == Training()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"optimizer": "adagrad"},
            r"training.optimizer is 'adagrad', expected one of sgd, adamw, adam \(did you mean 'adamw'\?\)|training.optimizer",
        ),
        ({"schedule": "linear"}, "training.schedule is 'linear', expected one of epoch, step"),
        ({"batches": "random"}, "training.batches is 'random', expected one of shuffled, single_class"),
        ({"steps_per_shot": -1}, "training.steps_per_shot is -1, expected at least 0"),
        ({"steps_per_shot": 1, "epochs": 0.5}, "training.epochs is 0.5, expected an integer"),
        ({"final_lr": -1.0}, "training.final_lr is -1.0, expected a finite number of at least 0"),
        ({"crop": 0}, "training.crop is 0, expected a share of the area above 0 and at most 1"),
        ({"crop": 1.1}, "training.crop is 1.1, expected a share"),
        ({"crop": float("nan")}, "training.crop is nan, expected a share"),
        ({"crop": True}, "training.crop is True, expected a share"),
        ({"crop": "0.5"}, "training.crop is '0.5', expected a share"),
    ],
)
def test_impossible_values_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DepthubError, match=f"^{message}"):
        Training(**change)


def test_every_field_is_an_option_of_the_command_line() -> None:
    line = "--training.optimizer adamw --training.schedule step --training.final_lr 1e-6 --training.steps_per_shot 500 --training.crop 0.5"
    (spec,) = run.specs(run.parser().parse_args([*line.split(), "--training.batches", "single_class"]))
    expected = {"optimizer": "adamw", "schedule": "step", "final_lr": 1e-6, "steps_per_shot": 500, "crop": 0.5, "batches": "single_class"}
    assert spec.training == Training(**expected)


# --------------------------------------------------------------------------------------------------------------------- rates and steps


@pytest.mark.parametrize(("final", "warmup"), [(0.0, 0), (1e-6, 0), (1e-6, 2)])
def test_rates_by_step_are_those_of_torch_after_the_warm_up(final: float, warmup: int) -> None:
    """CLIP-LoRA steps `CosineAnnealingLR(optimizer, T, eta_min)` after each of T steps."""
    length = Length(batches=3, steps=50)
    recipe = Training(schedule="step", final_lr=final, warmup_epochs=warmup, warmup_lr=0.25)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.02)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50 - 3 * warmup, final)
    rates = [learning_rate_of_step(0.02, step, recipe, length) for step in range(50)]
    assert rates[: 3 * warmup] == [0.25] * 3 * warmup
    for rate in rates[3 * warmup :]:
        assert rate == pytest.approx(scheduler.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_lr()[0] == pytest.approx(final, abs=1e-12)  # the rate of a further step


def test_rates_of_four_steps_by_hand() -> None:
    recipe = Training(schedule="step", warmup_epochs=0)
    assert [round(learning_rate_of_step(1.0, step, recipe, Length(4, 4)), 6) for step in range(4)] == [1.0, 0.853553, 0.5, 0.146447]
    assert learning_rate(1.0, 6, Training(final_lr=0.5)) == 0.75  # half way through the epochs


@pytest.mark.parametrize(
    ("recipe", "length", "of_epochs"),
    [
        (Training(epochs=2), Length(3, 6), [3, 3]),
        (Training(epochs=2, batch_size=20), Length(1, 2), [1, 1]),
        (Training(epochs=0), Length(3, 0), []),
        (Training(steps_per_shot=3, epochs=99), Length(3, 6), [3, 3]),
        (Training(steps_per_shot=1), Length(3, 2), [2]),
        (Training(steps_per_shot=4, batch_size=2, batches="single_class"), Length(5, 8), [5, 3]),
        (Training(epochs=2, batch_size=9, batches="single_class"), Length(1, 2), [1, 1]),
    ],
)
def test_the_length_of_a_training_with_two_shots(recipe: Training, length: Length, of_epochs: list[int]) -> None:
    labels = [0] * 4 + [1] * 3 + [2] * 5  # 12 images
    assert recipe.length(labels, 2) == length
    assert length.epochs == len(of_epochs)
    assert [length.of_epoch(epoch) for epoch in range(length.epochs)] == of_epochs


def rates_of(recipe: Training, length: Length, base: float) -> Iterator[float]:
    for step in range(length.steps):
        yield learning_rate_of_step(base, step, recipe, length) if recipe.schedule == "step" else learning_rate(base, step // 3, recipe)


def adamw(tuner: Tuner, batches: Sequence[Sequence[int]], of_run: TrainingJob) -> None:
    """Loshchilov and Hutter (2019), algorithm 2, with decoupled decay times the rate, as torch has it."""
    recipe, length = of_run.training, of_run.length
    first, second = ({name: torch.zeros_like(p) for name, p in tuner.tuned().items()} for _ in range(2))
    method, head = ([*rates_of(recipe, length, recipe.lr * scale)] for scale in (1, float(tuner.head.lr_scale)))
    for t, batch in enumerate(batches, start=1):
        features, labels = of_run.images[batch]  # type: ignore[index]
        tuner.zero_grad()
        sum(tuner(features, of_run.classes, labels).values()).backward()
        for name, p in tuner.tuned().items():
            rate = (head if name.startswith("head") else method)[t - 1]
            assert p.grad is not None
            first[name] = 0.9 * first[name] + 0.1 * p.grad
            second[name] = 0.999 * second[name] + 0.001 * p.grad**2
            mean, variance = first[name] / (1 - 0.9**t), second[name] / (1 - 0.999**t)
            p.data -= rate * recipe.weight_decay * p.data
            p.data -= rate * mean / (variance.sqrt() + 1e-8)


@pytest.mark.parametrize("schedule", ["epoch", "step"])
def test_training_is_adamw_at_the_rates_of_the_schedule(backbone: Backbone, schedule: str) -> None:
    """Three steps of an epoch and two of another, in double precision."""
    changes = {**ADAMW, "schedule": schedule, "epochs": 2, "weight_decay": 0.1, "lr": 0.01}
    one, other = (job(backbone, METHODS["shared"], DEPT, **changes) for _ in range(2))
    assert fit_together([one], Accelerator(cpu=True)) == [None]
    order, batches = ShuffledBatches(14, 4, one.seed), list[list[int]]()
    for order.epoch in range(2):
        batches += order
    adamw(other.tuner, batches, other)
    assert apart(trained([one]), trained([other])) <= EXACT


class InterruptionError(Exception):
    """Of a test."""


def course(of_run: TrainingJob, folder: Path, *, until: int | None = None) -> list[int]:
    """Train with a checkpoint and a history, up to an interruption after an epoch; returns the epochs done."""
    epochs: list[int] = []

    def note(epoch: int, _: float) -> None:
        epochs.append(epoch)
        if epoch == until:
            raise InterruptionError

    folder.mkdir(exist_ok=True)
    of_run.checkpoint, of_run.history, of_run.on_epoch = Checkpoint(folder / "tuned.safetensors", "a run"), History(folder, 0), note
    if until is None:
        assert fit_together([of_run], Accelerator(cpu=True)) == [None]
    else:
        with pytest.raises(InterruptionError):
            fit_together([of_run], Accelerator(cpu=True))
    return epochs


def lines(folder: Path) -> list[dict[str, Any]]:
    return [{**json.loads(line), "seconds": 0} for line in (folder / HISTORY).read_text().splitlines()]


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("name", RECIPES)
def test_an_interrupted_training_goes_on_bit_for_bit(backbone: Backbone, name: str, cut: int, tmp_path: Path) -> None:
    make = partial(job, backbone, METHODS["shared"], DEPT, **RECIPES[name])
    whole, part, rest = (labelled(make()) for _ in range(3))
    assert course(whole, tmp_path / "whole") == [1, 2, 3][: whole.length.epochs]
    assert course(part, tmp_path / "cut", until=cut) == [1, 2][:cut]
    assert course(rest, tmp_path / "cut") == [1, 2, 3][cut : whole.length.epochs]
    assert apart(trained([rest]), trained([whole])) == 0
    one, other = (load_file(tmp_path / folder / "tuned.safetensors") for folder in ("whole", "cut"))
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[key]) for key, value in one.items())
    assert lines(tmp_path / "whole") == lines(tmp_path / "cut")


def test_a_training_of_so_many_steps_ends_within_an_epoch(backbone: Backbone, tmp_path: Path) -> None:
    of_run = job(backbone, METHODS["shared"], shots=2, steps_per_shot=4, **ADAMW)
    assert course(of_run, tmp_path) == [1, 2, 3]
    state = load_file(tmp_path / "tuned.safetensors")
    assert set(state) == {f"{before}method.context" for before in ("", "exp_avg.", "exp_avg_sq.", "step.")}
    assert float(state["step.method.context"]) == 8  # 3, 3 and 2
    last = [line["rates"]["method"] for line in lines(tmp_path)]
    assert last == [learning_rate_of_step(0.02, step, of_run.training, Length(3, 8)) for step in (2, 5, 7)]
    assert of_run.epochs == 3


# ------------------------------------------------------------------------------------------------------------------ batches and stacks


@given(labels=Labels, size=st.integers(1, 6), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_batches_of_single_classes(labels: list[int], size: int, seed: int, epoch: int) -> None:
    order, again = (SingleClassBatches(labels, size, seed) for _ in range(2))
    plain = ShuffledBatches(len(labels), size, seed)
    for one in (order, again, plain):
        one.epoch = epoch
    batches = list(order)
    torch.rand(seed)  # another draw in between
    assert batches == list(again)
    assert len(batches) == len(order) == Training(batch_size=size, batches="single_class").length(labels, 1).batches
    images = [image for batch in batches for image in batch]
    assert len(set(images)) == len(images)
    if whole_batches(labels, size):
        assert all(len(batch) == size and len({labels[image] for image in batch}) == 1 for batch in batches)
        for label in set(labels):  # what is left does not fill a batch
            assert labels.count(label) - sum(labels[image] == label for image in images) < size
    else:
        assert batches == list(plain)


def test_batches_of_single_classes_depend_on_seed_and_epoch() -> None:
    labels = [i % 3 for i in range(30)]
    orders = set()
    for seed, epoch in ((1, 0), (1, 1), (2, 0)):
        order = SingleClassBatches(labels, 4, seed)
        order.epoch = epoch
        orders.add(str(list(order)))
    assert len(orders) == 3


def test_classes_have_equal_chances_whatever_their_number_of_images() -> None:
    labels = [0] * 4 + [1] * 36
    firsts = [labels[next(iter(SingleClassBatches(labels, 4, seed)))[0]] for seed in range(400)]
    assert 160 < firsts.count(0) < 240  # four standard deviations about a half; by images it were 40


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_processes_share_batches_of_single_classes(processes: int) -> None:
    """Each has its part of every batch, or the first image with weight 0."""
    order = SingleClassBatches([i % 3 for i in range(30)], 4, 1)
    parts = [ProcessBatches(StackedBatches([order]), rank, processes) for rank in range(processes)]
    assert sum(part.weight for part in parts) == 1
    for batch, *of_processes in zip(order, *parts, strict=True):
        shared = [part for part, of_process in zip(of_processes, parts, strict=True) if of_process.weight]
        assert [image for part in shared for image in part] == batch


@pytest.mark.parametrize("name", RECIPES)
def test_runs_train_together_as_they_do_alone(backbone: Backbone, name: str, tmp_path: Path) -> None:
    """One of them goes on from its first epoch, so that it is in its last one, which ends early, while the others are not."""

    def runs() -> list[TrainingJob]:
        make = partial(job, backbone, METHODS["shared"], **RECIPES[name])
        first = labelled(make())
        return [first, *(replace(labelled(make(head=DEPT, lr=0.05)), images=first.images, labels=first.labels) for _ in range(2))]

    expected, together = runs(), runs()
    for of_run in expected:
        assert fit_together([of_run], Accelerator(cpu=True)) == [None]
    course(runs()[0], tmp_path, until=1)
    together[0].checkpoint = Checkpoint(tmp_path / "tuned.safetensors", "a run")
    assert group_jobs(together, "auto") == [([0, 1, 2], "")]
    assert fit_together(together, Accelerator(cpu=True)) == [None] * 3
    assert apart(trained(together), trained(expected)) <= EXACT
    assert [of_run.epochs for of_run in together] == [of_run.length.epochs for of_run in expected]


def test_a_stack_has_one_optimiser_and_any_schedule(backbone: Backbone) -> None:
    runs = [job(backbone, METHODS["shared"], **changes) for changes in ({}, {"optimizer": "adamw"}, {"schedule": "step"}, ADAMW)]
    assert group_jobs(runs, "auto") == [([0, 2], ""), ([1, 3], "")]
    expected = [job(backbone, METHODS["shared"], **changes) for changes in ({}, {"schedule": "step"})]
    for of_run in expected:
        fit_together([of_run], Accelerator(cpu=True))
    assert fit_together([runs[0], runs[2]], Accelerator(cpu=True)) == [None] * 2
    assert apart(trained([runs[0], runs[2]]), trained(expected)) <= EXACT
