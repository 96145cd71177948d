"""Seeded methods and heads on a backbone, and their tuned parameters, for tests."""

from __future__ import annotations

import torch
from torch import Tensor

from depthub.encoding.backbone import Backbone
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, make
from depthub.spec import Component, Training
from depthub.training.tuner import Tuner
from tests.models import CLASSES

COOP, MATCHING = Component("CoOp", {"n_ctx": 3}), Component("ITM")
RECIPE = Training(epochs=3, batch_size=4, lr=0.05)


def tuner(backbone: Backbone, method: Component = COOP, head: Component = MATCHING) -> Tuner:
    """A method and a head from a seeded start."""
    plugins = installed()
    torch.manual_seed(7)
    tuned_method = make(complete(method, "methods", plugins), "methods", plugins, backbone, CLASSES)
    return Tuner(backbone, tuned_method, make(complete(head, "heads", plugins), "heads", plugins, backbone.dim, CLASSES))


def state(tuned: Tuner) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in tuned.tuned().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
