"""A gradient without the part that opposes another gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def aligned(specific: Tensor, general: Tensor, weight: float) -> Tensor:
    """The gradient `specific` (n, w) minus `weight` times its part that opposes `general` (n, w); unchanged if none does."""
    direction = F.normalize(general.flatten(), dim=0).view_as(general)
    return specific - weight * (specific * direction).sum().clamp(max=0) * direction


class TwoReaders(torch.autograd.Function):
    """A context (n, w) twice, for two losses: (2, n, w). Backward returns the first gradient, `aligned` with the second."""

    @staticmethod
    def forward(ctx: Any, context: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return torch.stack([context, context])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None]:
        if distributed.is_available() and distributed.is_initialized():  # `aligned` is not linear: first the mean over the processes
            gradients = gradients.contiguous()
            distributed.all_reduce(gradients)
            gradients = gradients / distributed.get_world_size()
        return aligned(gradients[0], gradients[1], ctx.weight), None
