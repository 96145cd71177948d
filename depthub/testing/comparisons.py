"""Comparisons that several checks make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from depthub.errors import DepthubError
from depthub.registry.plugins import Plugins, installed
from depthub.registry.settings import complete
from depthub.spec import Component
from depthub.testing.case import Part
from depthub.types import ClassSet

CLOSE = 1e-4  # relative, and absolute between scores: the rounding of fp32 in sums of another order


class PluginsWith(Plugins):
    """The installed plugins, and the class of a case, which need not be installed."""

    def __init__(self, case: Part) -> None:
        self.case = case  # without super().__init__(), which would load all plugins again

    def get(self, kind: str, name: str) -> Any:
        return self.case.thing if (kind, name) == (self.case.kind, self.case.name) else installed().get(kind, name)


def completed(case: Part, values: Mapping[str, Any]) -> Component:
    """The component with these settings besides those of its case, checked as in a run."""
    return complete(Component(case.name, {**case.settings, **values}), case.kind, PluginsWith(case))


def refused(part: Any, classes: ClassSet) -> bool:
    """Whether a method or head refuses classes."""
    try:
        part.check(classes)
    except DepthubError:
        return True
    return False


def close(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal but for rounding."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=CLOSE, atol=CLOSE)


def apart(one: Tensor, other: Tensor) -> float:
    """The largest difference of two tensors."""
    return (one - other).abs().max().item() if one.shape == other.shape else float("inf")
