"""Runs in one training loop: each goes its own way, as if it were alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from depthub import ClassSet, Component, Prompts
from depthub.encoding.backbone import Backbone
from depthub.training.checkpoint import Checkpoint
from depthub.training.grouping import group_jobs
from depthub.training.job import TrainingJob
from depthub.training.loop import fit_together
from depthub.training.stack import Stack
from tests.models import CLASSES, random_backbone
from tests.training.jobs import EXACT, METHODS, RECIPE, Noisy, alone, apart, job, trained, variants


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_each_run_goes_the_way_it_goes_alone(backbone: Backbone, method: Any) -> None:
    expected, together = alone(variants(backbone, method)), variants(backbone, method)
    before = trained(together)
    assert group_jobs(together, "auto") == [([0, 1, 2, 3], "")]
    assert fit_together(together, Accelerator(cpu=True)) == [None] * 4
    assert apart(trained(together), expected) <= EXACT
    assert min(float((now[n] - b[n]).norm()) for now, b in zip(trained(together), before, strict=True) for n in b) > 0


def test_pixels_are_encoded_together(backbone: Backbone) -> None:
    together = [job(backbone, METHODS["per image"], seed=seed, pixels=True) for seed in (1, 2)]
    expected = alone([job(backbone, METHODS["per image"], seed=seed, pixels=True) for seed in (1, 2)])
    fit_together(together, Accelerator(cpu=True))
    assert apart(trained(together), expected) <= EXACT


def test_a_run_of_its_own_is_bit_identical_to_its_tuner(backbone: Backbone) -> None:
    one = job(backbone, METHODS["shared"], Component("DePT"))
    images, labels = one.images[:4]  # type: ignore[index]
    losses, expected = Stack([one.tuner])(images, labels, CLASSES)[0], one.tuner(images, CLASSES, labels)
    assert losses.keys() == expected.keys()
    assert all(torch.equal(losses[name], expected[name]) for name in losses)


def test_a_stack_encodes_once_a_step(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    encode = Backbone.encode_text

    def counted(self: Backbone, classes: ClassSet, prompts: Prompts) -> Tensor:
        groups.append(len(prompts.text[0]))
        return encode(self, classes, prompts)

    monkeypatch.setattr(Backbone, "encode_text", counted)
    fit_together(variants(backbone, METHODS["shared"]), Accelerator(cpu=True))
    assert groups == [4] * 3 * RECIPE.epochs  # 14 images make three batches


def test_a_run_that_diverges_leaves_the_others_alone(backbone: Backbone) -> None:
    calls: list[tuple[int, int]] = []

    def jobs(number: Sequence[int]) -> list[TrainingJob]:
        rates = (0.02, 0.02, 0.05)
        of_runs = [
            job(backbone, METHODS["shared"], seed=i, lr=rates[i], warmup_epochs=0, on_epoch=lambda e, _, i=i: calls.append((i, e)))
            for i in number
        ]
        if 1 in number:
            of_runs[1].images.tensors[0][5] = float("nan")  # type: ignore[attr-defined]
        return of_runs

    expected, together = alone(jobs([0, 2])), jobs([0, 1, 2])
    first, second, third = fit_together(together, Accelerator(cpu=True))
    assert (first, third) == (None, None)
    assert "the loss is nan in epoch 1: the run diverged; lower training.lr (0.02)" in str(second)
    assert apart(trained([together[0], together[2]]), expected) <= EXACT
    assert calls == [(0, 1), (2, 1), (0, 2), (2, 2)]


def test_runs_interrupted_at_different_epochs_go_on_together(backbone: Backbone, tmp_path: Path) -> None:
    def jobs(**changes: Any) -> list[TrainingJob]:
        return [
            replace(c, checkpoint=Checkpoint(tmp_path / f"{i}.safetensors", str(i)), **changes)
            for i, c in enumerate(variants(backbone, METHODS["shared"], epochs=3))
        ]

    def interrupt(epoch: int, _: float) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # the first run has done two epochs, the others one
        fit_together(jobs(on_epoch=interrupt), Accelerator(cpu=True))
    epochs: list[int] = []
    resumed = jobs(on_epoch=lambda epoch, _: epochs.append(epoch))
    fit_together(resumed, Accelerator(cpu=True))
    assert epochs == [3, 2, 2, 2, 3, 3, 3]
    assert apart(trained(resumed), alone(variants(backbone, METHODS["shared"], epochs=3))) <= EXACT


def test_a_foreign_checkpoint_stops_its_own_run_only(backbone: Backbone, tmp_path: Path) -> None:
    path = tmp_path / "tuned.safetensors"
    fit_together([job(backbone, METHODS["shared"], checkpoint=Checkpoint(path, "another run"))], Accelerator(cpu=True))
    together = [job(backbone, METHODS["shared"], checkpoint=Checkpoint(path, "a run")), job(backbone, METHODS["shared"], seed=2)]
    first, second = fit_together(together, Accelerator(cpu=True))
    assert "belongs to another run" in str(first)
    assert second is None
    assert apart(trained(together[1:]), alone([job(backbone, METHODS["shared"], seed=2)])) <= EXACT


class Forgetful(Noisy):
    """Fails after its first epoch."""

    def after_epoch(self, epoch: int, epochs: int) -> None:
        raise ZeroDivisionError("no epochs left")


def test_a_run_that_fails_ends_alone(backbone: Backbone, tmp_path: Path) -> None:
    """One cannot write its checkpoint, one fails in its method's code; the third goes on."""
    (tmp_path / "file").touch()

    def jobs() -> list[TrainingJob]:
        return [
            job(backbone, METHODS["shared"], seed=1, checkpoint=Checkpoint(tmp_path / "file/tuned.safetensors", "a run")),
            job(backbone, Forgetful, seed=2),
            job(backbone, METHODS["shared"], seed=3, checkpoint=Checkpoint(tmp_path / "tuned.safetensors", "a run")),
        ]

    together = jobs()
    first, second, third = fit_together(together, Accelerator(cpu=True))
    assert str(first).startswith(f"cannot write {tmp_path}/file/tuned.safetensors: ")
    assert isinstance(second, ZeroDivisionError)
    assert second.__traceback__ is not None  # a bug keeps its place
    assert third is None
    assert apart(trained(together[2:]), alone([replace(jobs()[2], checkpoint=None)])) <= EXACT
    assert [c.seconds > 0 for c in together] == [True] * 3


def test_products_do_not_depend_on_the_rows_beside() -> None:
    """In a fresh process, as a run has it: a stack gives the bits of solitary runs, whatever its size."""
    program = """
import torch
from depthub.compute.linear import linear
torch.set_num_threads(1)
draw = torch.Generator().manual_seed(0)
x, w = torch.randn(700, 512, generator=draw), torch.randn(128, 512, generator=draw)
whole = linear(x, w)
assert all(torch.equal(linear(x[:rows], w), whole[:rows]) for rows in (5, 8, 12, 61, 305))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
