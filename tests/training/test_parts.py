"""A training in parts, which end after chosen epochs: the same bits, the same history and the same seconds as in one go."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from depthub import DepthubError
from depthub.encoding.backbone import Backbone
from depthub.records.entries import HISTORY
from depthub.training.checkpoint import Checkpoint
from depthub.training.history import History
from depthub.training.job import TrainingJob
from depthub.training.loop import fit_together
from tests.models import random_backbone
from tests.training.jobs import EXACT, METHODS, alone, apart, job, trained, variants

EPOCHS = 4


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


def in_parts(jobs: list[TrainingJob], parts: list[int | None], folder: Path) -> list[list[dict[str, Tensor]]]:
    """Train until each epoch in turn; returns the tuned parameters after each part."""
    for number, one in enumerate(jobs):
        one.checkpoint = Checkpoint(folder / f"{number}.safetensors", str(number))
    states = []
    for part in parts:
        for one in jobs:
            one.until = part
        assert fit_together(jobs, Accelerator(cpu=True)) == [None] * len(jobs)
        states.append(trained(jobs))
        for one in jobs:
            one.tuner.eval()  # as a test between the parts does
    return states


def after_each_epoch(one: TrainingJob) -> list[dict[str, Tensor]]:
    """The tuned parameters after each epoch of a training in one go, without any file."""
    states: list[dict[str, Tensor]] = []
    one.on_epoch = lambda *_: states.extend(trained([one]))
    assert fit_together([one], Accelerator(cpu=True)) == [None]
    return states


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_parts_have_the_bits_of_the_whole(backbone: Backbone, method: Any, tmp_path: Path) -> None:
    expected = after_each_epoch(job(backbone, method, epochs=EPOCHS))
    states = in_parts([job(backbone, method, epochs=EPOCHS)], [1, 2, None], tmp_path)
    assert len(expected) == EPOCHS
    assert [same(state, expected[epoch]) for (state,), epoch in zip(states, (0, 1, 3), strict=True)] == [True] * 3
    assert not same(expected[0], expected[1])


def test_runs_of_a_stack_advance_together(backbone: Backbone, tmp_path: Path) -> None:
    apart_, together = (variants(backbone, METHODS["shared"], epochs=EPOCHS) for _ in range(2))
    expected = [after_each_epoch(one) for one in apart_]
    for epoch, states in zip((0, 2, 3), in_parts(together, [1, 3, None], tmp_path), strict=True):
        assert apart(states, [of_run[epoch] for of_run in expected]) <= EXACT


def test_runs_of_a_stack_may_stop_after_other_epochs(backbone: Backbone, tmp_path: Path) -> None:
    expected = alone(variants(backbone, METHODS["shared"], epochs=EPOCHS))
    jobs = variants(backbone, METHODS["shared"], epochs=EPOCHS)
    for number, one in enumerate(jobs):
        one.checkpoint, one.until = Checkpoint(tmp_path / f"{number}.safetensors", str(number)), (1, 2, 2, None)[number]
    assert fit_together(jobs, Accelerator(cpu=True)) == [None] * 4
    assert [one.epochs for one in jobs] == [1, 2, 2, EPOCHS]
    for one in jobs:
        one.until = None
    assert fit_together(jobs, Accelerator(cpu=True)) == [None] * 4
    assert apart(trained(jobs), expected) <= EXACT


def test_history_and_seconds_are_those_of_all_epochs_once(backbone: Backbone, tmp_path: Path) -> None:
    started: list[int] = []
    one = job(backbone, METHODS["shared"], epochs=EPOCHS, history=History(tmp_path, 0), on_start=started.append)
    in_parts([one], [1, 1, 3, None], tmp_path)
    lines = [json.loads(line) for line in (tmp_path / HISTORY).read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert started == [0, 1, 1, 3]
    assert one.seconds == pytest.approx(sum(line["seconds"] for line in lines), abs=5e-4 * EPOCHS)
    again = replace(one, seconds=0.0, epochs=0, tuner=job(backbone, METHODS["shared"]).tuner)  # another process
    in_parts([again], [2, None], tmp_path)
    assert again.seconds == pytest.approx(one.seconds)
    assert again.epochs == EPOCHS
    assert started[4:] == [EPOCHS, EPOCHS]  # a later epoch than the part asks for is not undone


@pytest.mark.parametrize("change", ["gone", "earlier"])
def test_a_checkpoint_that_is_not_the_last_parts_ends_the_run(backbone: Backbone, change: str, tmp_path: Path) -> None:
    """The parameters in memory are those of later epochs, and training on would be nobody's training."""
    one = job(backbone, METHODS["shared"], epochs=EPOCHS)
    in_parts([one], [1], tmp_path)
    path = tmp_path / "0.safetensors"
    first = path.read_bytes()
    in_parts([one], [2], tmp_path)
    path.unlink() if change == "gone" else path.write_bytes(first)
    one.until = None
    (error,) = fit_together([one], Accelerator(cpu=True))
    assert isinstance(error, DepthubError)
    assert "0.safetensors has changed or disappeared during the training; run again" in str(error)
