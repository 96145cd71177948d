"""Captured and replayed steps: on the CPU from a tape that repeats operations on the same memory, on a GPU from CUDA graphs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

import depthub
from depthub import Component, DepthubError, Features, RunSpec, Training
from depthub.encoding.backbone import Backbone
from depthub.training import graphs
from depthub.training.loop import fit_together
from tests import tape
from tests.models import random_backbone
from tests.training.jobs import EXACT, METHODS, Adapter, Noisy, apart, job, trained

STACKED = {name: method for name, method in METHODS.items() if method not in (Noisy, Adapter)}
ALL = {
    **STACKED,
    "ProGrad": Component("ProGrad"),
    "PromptSRC": Component("PromptSRC", {"depth": 2}),
    "MaPLe": Component("MaPLe", {"depth": 2}),
    "VPT": Component("VPT", {"depth": 2}),
    "independent": Component("IndependentVL", {"depth": 2}),
}
HEADS = ("ITM", "DePT", "CAT")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


@pytest.mark.parametrize(("method", "runs"), [*((name, 1) for name in ALL), *((name, 3) for name in STACKED)])
def test_a_replayed_step_trains_as_the_step_does(backbone: Backbone, method: str, runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over two epochs with different learning rates; a step never waits for the device or makes a tensor on the host."""
    captures = 0

    def capture(step: graphs.Replay) -> graphs.Replay:
        nonlocal captures
        captures += 1
        return tape.capture(step)

    monkeypatch.setattr(graphs, "capture", capture)
    plain, replayed = (
        [job(backbone, ALL[method], Component(HEADS[seed]), seed, pixels=True, graphs=graphs) for seed in range(runs)]
        for graphs in (False, True)
    )
    for jobs in (plain, replayed):
        assert fit_together(jobs, Accelerator(cpu=True)) == [None] * runs
    assert apart(trained(replayed), trained(plain)) <= EXACT
    assert captures == replayed[0].training.epochs


class Waiting(Noisy):
    """Reads a number back from the device in every step, and draws none."""

    def losses(self, features: Features) -> dict[str, Tensor]:
        return {"length": features.text.norm() if float(features.text.detach().norm()) > 0 else features.text.sum()}

    def prompts(self, classes: depthub.ClassSet, image: Tensor | None) -> depthub.Prompts:
        return depthub.Prompts(text=[self.context])


@pytest.mark.parametrize("runs", [1, 3])
def test_random_numbers_cannot_be_replayed(backbone: Backbone, runs: int) -> None:
    jobs = [job(backbone, Noisy, seed=seed, graphs=True) for seed in range(runs)]
    with pytest.raises(DepthubError, match=r"^this training step draws random numbers.*; run without --graphs$"):
        fit_together(jobs, Accelerator(cpu=True))


def test_the_tape_refuses_to_wait_as_a_graph_does(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "capture", tape.capture)
    with pytest.raises(RuntimeError, match="not permitted"):
        fit_together([job(backbone, Waiting, graphs=True)], Accelerator(cpu=True))


def test_without_a_gpu_graphs_are_refused_in_one_line(tmp_path: Path) -> None:
    spec = RunSpec(training=Training(epochs=1))
    with pytest.raises(
        DepthubError, match=r"^--graphs needs one process on a CUDA device in fp32 or bf16, not 1 process\(es\) on cpu in fp32"
    ):
        depthub.run(spec, runs=tmp_path, graphs=True)
    assert list(tmp_path.rglob("*.*")) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("runs", [1, 3])
def test_cuda_graphs(backbone: Backbone, runs: int) -> None:
    """The real graphs, as on the tape above."""
    plain, graphed = (
        [job(backbone, METHODS["shared"], Component(HEADS[seed]), seed, graphs=graphs) for seed in range(runs)] for graphs in (False, True)
    )
    for jobs in (plain, graphed):
        for each in jobs:
            each.tuner.cuda()
        assert fit_together(jobs, Accelerator()) == [None] * runs
    assert apart(trained(graphed), trained(plain)) <= EXACT
    backbone.cpu()
