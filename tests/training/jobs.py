"""Trainings of runs on random images, alone and together, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from depthub import ClassSet, Component, Features, Method, PromptMethod, Prompts, Training
from depthub.encoding.backbone import Backbone
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, factory
from depthub.training.job import TrainingJob
from depthub.training.loop import fit
from depthub.training.tuner import Tuner
from tests.models import CLASSES

RECIPE = Training(epochs=2, batch_size=4, lr=0.02, warmup_lr=0.01)
MATCHING = Component("ITM")
EXACT = 1e-10  # relative, in double precision after several epochs


class Noisy(PromptMethod):
    """Draws random numbers in its prompts and in its loss, as dropout does, without regard to other runs."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.1 * torch.randn(3, backbone.text_width))  # (n, w)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[F.dropout(self.context, 0.3, self.training)])

    def losses(self, features: Features) -> dict[str, Tensor]:
        return {"noise": (features.text * torch.randn_like(features.text)).mean()}


class Layered(PromptMethod):
    """A context for each class at the input, one for each image before the second layer, and one for all before the third."""

    needs_image = True

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.shift = nn.Linear(backbone.dim, backbone.text_width)
        self.of_class = nn.Parameter(0.1 * torch.randn(len(classes), 2, backbone.text_width))  # (M, n, w)
        self.deep = nn.Parameter(0.1 * torch.randn(2, backbone.text_width))  # (n, w)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.of_class, self.shift(image)[:, None, None].expand(-1, 1, 2, -1), self.deep])


class Sparse(PromptMethod):
    """Two prompts a class at the input, none before the second layer, and new ones before the third; a shift behind the encoding."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.groups = nn.Parameter(0.1 * torch.randn(2, 1, 2, backbone.text_width))  # (K, 1, n, w)
        self.deep = nn.Parameter(0.1 * torch.randn(2, backbone.text_width))  # (n, w)
        self.shift = nn.Parameter(0.1 * torch.randn(backbone.dim))

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.groups, None, self.deep])

    def read(self, features: Features) -> Features:
        return replace(features, text=super().read(features).text + self.shift)


class Adapter(Method):
    """Changes the frozen image features and drops some of them at random; its texts are hand-written."""

    adapts_image = True

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.shift = nn.Linear(backbone.dim, backbone.dim)

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        image = backbone.encode_image(images)
        changed = image + F.dropout(self.shift(image), 0.3, self.training)
        return Features(changed, backbone.encode_sentences(classes.sentences()), backbone.scale, classes)


METHODS = {
    "shared": Component("CoOp", {"n_ctx": 3}),
    "per class": Component("CoOp", {"n_ctx": 3, "class_specific": True}),
    "in the middle": Component("CoOp", {"n_ctx": 4, "position": "middle"}),
    "per image": Component("CoCoOp", {"reduction": 4}),
    "with a regulariser": Component("KgCoOp"),
    "deep": Component("DeepLanguage", {"n_ctx": 2, "depth": 3}),
    "random": Noisy,
    "all together": Layered,
    "sparse, several a class": Sparse,
    "made of each class's frozen feature": Component("TCP", {"n_ctx": 3, "layer": 2}),
    "features alone": Adapter,
    "corrected gradient": Component("ProGrad"),
}


def job(backbone: Backbone, method: Any, head: Component = MATCHING, seed: int = 1, *, pixels: bool = False, **changes: Any) -> TrainingJob:
    """A run on random images; `changes` of the recipe or of the job."""
    plugins, recipe = installed(), {name: changes.pop(name) for name in [*changes] if hasattr(RECIPE, name)}
    make = factory(complete(method, "methods", plugins), "methods", plugins) if isinstance(method, Component) else method
    torch.manual_seed(seed)
    tuner = Tuner(backbone, make(backbone, CLASSES), factory(complete(head, "heads", plugins), "heads", plugins)(backbone.dim, CLASSES))
    images = torch.randn(14, *((3, 32, 32) if pixels else (24,)), dtype=torch.float64)
    data = TensorDataset(images, torch.randint(5, (14,)))
    return TrainingJob(tuner.double(), data, CLASSES, replace(RECIPE, **recipe), seed, **changes)


def variants(backbone: Backbone, method: Any, **changes: Any) -> list[TrainingJob]:
    """Runs with all differences that a stack allows."""
    return [
        job(backbone, method, seed=1, **changes),
        job(backbone, method, Component("DePT", {"balance": 0.3}), seed=2, lr=0.05, momentum=0.5, **changes),
        job(backbone, method, Component("DePT", {"cat": Component("SharedCAT")}), seed=3, weight_decay=0.01, **changes),
        job(backbone, method, Component("DePT", {"cat": Component("MatchingCAT")}), seed=2, warmup_epochs=0, **changes),
    ]


def trained(jobs: Sequence[TrainingJob]) -> list[dict[str, Tensor]]:
    return [{name: p.detach().clone() for name, p in job.tuner.tuned().items()} for job in jobs]


def alone(jobs: Sequence[TrainingJob]) -> list[dict[str, Tensor]]:
    for of_run in jobs:
        fit(of_run.tuner, of_run.images, of_run.classes, of_run.training, of_run.seed, Accelerator(cpu=True))
    return trained(jobs)


def apart(one: Sequence[dict[str, Tensor]], other: Sequence[dict[str, Tensor]]) -> float:
    """The largest relative difference of a parameter."""
    assert [states.keys() for states in one] == [states.keys() for states in other]
    pairs = [(a[name], b[name]) for a, b in zip(one, other, strict=True) for name in a]
    return max(float((a - b).norm() / b.norm()) for a, b in pairs)
