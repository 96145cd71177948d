"""The grouping of runs into stacks."""

from __future__ import annotations

import pytest
from torch import Tensor

from depthub import ClassSet, Component, Prompts
from depthub.training.grouping import group_jobs
from tests.models import random_backbone
from tests.training.jobs import METHODS, Noisy, job


class Broken(Noisy):
    """Cannot make prompts."""

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        raise ValueError("no prompts")


def test_runs_are_grouped_by_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, other = random_backbone(), random_backbone()
    runs = [
        job(backbone, METHODS["shared"]),
        job(backbone, Component("ZeroShot")),
        job(backbone, METHODS["per class"]),
        job(backbone, Component("MaPLe", {"depth": 2})),
        job(backbone, METHODS["shared"], batch_size=5),
        job(other, METHODS["shared"]),
        job(backbone, METHODS["shared"], precision="fp16"),
        job(backbone, Component("CoOp", {"n_ctx": 4})),
        job(backbone, Component("CoOp", {"ctx_init": "a photo of"})),
        job(backbone, Component("VPT", {"depth": 1})),
        job(backbone, METHODS["shared"], seed=2, epochs=5),
        job(backbone, Broken),
    ]
    lonely = "no other run has the same classes, prompts and steps"
    assert group_jobs(runs, "auto") == [
        ([0, 10], ""),
        ([1], ""),
        ([2], lonely),
        ([3], "its prompts change the image features"),
        ([4], lonely),
        ([5], lonely),
        ([6], "fp16 scales the losses of one run"),
        ([7], lonely),
        ([8], lonely),
        ([9], "it encodes by itself"),
        ([11], "its prompts raise an error"),
    ]
    assert group_jobs(runs, "off") == [([i], "") for i in range(len(runs))]
    many = [runs[0]] * 33
    assert [len(places) for places, _ in group_jobs(many, "auto")] == [11, 11, 11]
    assert [len(places) for places, _ in group_jobs(many, 17)] == [16, 17]
    monkeypatch.setattr("depthub.training.grouping.SHARE", 1e-12)
    assert [len(places) for places, _ in group_jobs(many, "auto")] == [1] * 33
